/* The command `tflz`: what a .tflz container holds, and the file in it.
 *
 *     tflz info FILE
 *     tflz unpack FILE -o OUT [--force] [--max-output BYTES]
 *
 * Exit codes: 0 ok, 1 out of memory, 2 usage or an output that exists or cannot be written, 5 a file that cannot be
 * read or is no sound container. OUT is written whole or not at all. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tflz.h"

enum { OK = 0, NO_MEMORY = 1, USAGE = 2, UNUSABLE = 5 };

static const char usage[] = "usage: tflz info FILE\n"
                            "       tflz unpack FILE -o OUT [--force] [--max-output BYTES]\n";

typedef struct {
    const char *source, *output;
    int force;
    size_t max_output;
} options;

static int fail(int code, const char *path, const char *problem)
{
    fprintf(stderr, "tflz: %s: %s\n", path, problem);
    return code;
}

static int read_file(const char *path, unsigned char **data, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) != 0 || !S_ISREG(status.st_mode)) {
        int code = fail(UNUSABLE, path, file == NULL ? strerror(errno) : "not a file that can be read");
        if (file != NULL)
            fclose(file);
        return code;
    }
    int code = OK;
    *size = (size_t)status.st_size;
    *data = (uintmax_t)status.st_size < SIZE_MAX ? malloc(*size + 1) : NULL;
    if (*data == NULL)
        code = fail(NO_MEMORY, path, "too large for the memory there is");
    else if (fread(*data, 1, *size, file) != *size)
        code = fail(UNUSABLE, path, "cannot be read");
    fclose(file);
    return code;
}

static int write_whole(const char *path, const unsigned char *data, size_t size)
{
    static const char suffix[] = ".XXXXXX";
    char *temporary = malloc(strlen(path) + sizeof suffix);
    if (temporary == NULL)
        return fail(NO_MEMORY, path, strerror(errno));
    strcpy(temporary, path);
    strcat(temporary, suffix);
    int handle = mkstemp(temporary);
    if (handle < 0) {
        int code = fail(USAGE, path, strerror(errno));
        free(temporary);
        return code;
    }
    mode_t mask = umask(0);
    umask(mask);
    int is_written = fchmod(handle, 0666 & ~mask) == 0;
    while (is_written && size > 0) {
        ssize_t written = write(handle, data, size < (1u << 30) ? size : 1u << 30);
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        } else if (written == 0 || errno != EINTR) {
            is_written = 0;
        }
    }
    is_written = close(handle) == 0 && is_written && rename(temporary, path) == 0;
    int code = is_written ? OK : fail(USAGE, path, strerror(errno));
    if (!is_written)
        unlink(temporary);
    free(temporary);
    return code;
}

static int unpack(const options *o, const unsigned char *data, size_t size, const tflz_info *info)
{
    unsigned char *output = malloc(info->output_size + 1);
    void *workspace = malloc(info->workspace_size + 1);
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    int code = OK;
    if (output == NULL || workspace == NULL || zstd == NULL) {
        code = fail(NO_MEMORY, o->source, "out of memory");
    } else {
        tflz_error error =
            tflz_decode(zstd, output, info->output_size, data, size, workspace, info->workspace_size);
        code = error == TFLZ_OK ? write_whole(o->output, output, info->output_size)
                                : fail(UNUSABLE, o->source, tflz_error_name(error));
    }
    ZSTD_freeDCtx(zstd);
    free(workspace);
    free(output);
    return code;
}

/* Whether the arguments are such as the usage tells. */
static int read_options(int argc, char **argv, options *o)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--force") == 0) {
            o->force = 1;
        } else if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) {
            o->output = argv[++i];
        } else if (strcmp(argv[i], "--max-output") == 0 && i + 1 < argc) {
            char *end;
            errno = 0;
            unsigned long long bytes = strtoull(argv[++i], &end, 10);
            if (errno != 0 || end == argv[i] || *end != '\0' || argv[i][0] == '-' || bytes > SIZE_MAX)
                return 0;
            o->max_output = (size_t)bytes;
        } else if (argv[i][0] != '-' && o->source == NULL) {
            o->source = argv[i];
        } else {
            return 0;
        }
    }
    return o->source != NULL;
}

int main(int argc, char **argv)
{
    options o = {NULL, NULL, 0, (size_t)1 << 31}; /* no .tflite is larger */
    int unpacks = argc > 1 && strcmp(argv[1], "unpack") == 0, informs = argc > 1 && strcmp(argv[1], "info") == 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return OK;
    }
    if (!(unpacks || informs) || !read_options(argc, argv, &o) || unpacks != (o.output != NULL)) {
        fputs(usage, stderr);
        return USAGE;
    }
    if (unpacks && !o.force && access(o.output, F_OK) == 0)
        return fail(USAGE, o.output, "exists; to replace it: --force");
    unsigned char *data = NULL;
    size_t size = 0;
    tflz_info info;
    int code = read_file(o.source, &data, &size);
    if (code == OK) {
        tflz_error error = tflz_inspect(data, size, informs ? SIZE_MAX : o.max_output, &info);
        if (error == TFLZ_ERROR_TOO_LARGE && unpacks)
            code = fail(UNUSABLE, o.source, "the output is larger than allowed; to allow more: --max-output BYTES");
        else if (error != TFLZ_OK)
            code = fail(UNUSABLE, o.source, tflz_error_name(error));
    }
    if (code == OK && informs)
        printf("container  %zu bytes\noutput     %zu bytes\nregions    %zu in %zu ranges\nworkspace  %zu bytes\n", size,
               info.output_size, info.n_regions, info.n_ranges, info.workspace_size);
    if (code == OK && unpacks)
        code = unpack(&o, data, size, &info);
    free(data);
    return code;
}
