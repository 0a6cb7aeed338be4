/* Time of the C decoder over that of zstd's own, for one file: wire_c_speed CONTAINER FRAME ROUNDS
 *
 * Both decode into the same memory, turn by turn, and check their checksums. Prints the median of the ratios, and the
 * median times in milliseconds, of the processor: what else a busy machine does is not counted. */
#define _POSIX_C_SOURCE 200809L

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tflz.h"

typedef struct {
    unsigned char *data;
    size_t size;
} bytes;

static void fail(const char *problem)
{
    fprintf(stderr, "wire_c_speed: %s\n", problem);
    exit(1);
}

static void *memory(size_t size)
{
    void *found = malloc(size > 0 ? size : 1);
    if (found == NULL)
        fail("out of memory");
    return found;
}

static bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
        fail(path);
    bytes found = {memory((size_t)size), (size_t)size};
    if (fread(found.data, 1, found.size, file) != found.size)
        fail(path);
    fclose(file);
    return found;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *numbers, size_t n)
{
    qsort(numbers, n, sizeof *numbers, ascending);
    return numbers[n / 2];
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("needs CONTAINER FRAME ROUNDS");
    bytes container = read_file(argv[1]), frame = read_file(argv[2]);
    size_t rounds = strtoul(argv[3], NULL, 10);
    tflz_info info;
    if (rounds == 0 || tflz_inspect(container.data, container.size, SIZE_MAX, &info) != TFLZ_OK)
        fail(argv[1]);
    unsigned char *output = memory(info.output_size), *theirs = memory(info.output_size);
    void *workspace = memory(info.workspace_size);
    double *ratios = memory(rounds * sizeof(double)), *ours_ms = memory(rounds * sizeof(double)),
           *theirs_ms = memory(rounds * sizeof(double));
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    if (ZSTD_decompressDCtx(zstd, theirs, info.output_size, frame.data, frame.size) != info.output_size)
        fail(argv[2]);
    for (size_t i = 0; i <= rounds; i++) { /* the first is not counted */
        double start = now_ms();
        tflz_error error = tflz_inspect(container.data, container.size, info.output_size, &info);
        if (error == TFLZ_OK)
            error = tflz_decode(zstd, output, info.output_size, container.data, container.size, workspace,
                                info.workspace_size);
        double middle = now_ms();
        if (error != TFLZ_OK || memcmp(output, theirs, info.output_size) != 0)
            fail("the container holds another file than the frame");
        double again = now_ms();
        ZSTD_decompressDCtx(zstd, output, info.output_size, frame.data, frame.size);
        double end = now_ms();
        size_t round = i > 0 ? i - 1 : 0;
        ours_ms[round] = middle - start;
        theirs_ms[round] = end - again;
        ratios[round] = ours_ms[round] / theirs_ms[round];
    }
    printf("%.6f %.6f %.6f\n", median(ratios, rounds), median(ours_ms, rounds), median(theirs_ms, rounds));
    return 0;
}
