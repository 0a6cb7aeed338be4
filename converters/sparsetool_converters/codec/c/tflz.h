/* Reads .tflz containers, version 1. The format is that of docs/FORMAT.md; the only thing needed is libzstd, 1.4 or
 * newer. Nothing is allocated here, nothing is global, and any bytes at all may be given.
 *
 *     tflz_info info;
 *     tflz_error error = tflz_inspect(src, src_size, largest_output_that_you_accept, &info);
 *     if (error == TFLZ_OK) {
 *         void *dst = malloc(info.output_size), *workspace = malloc(info.workspace_size);
 *         ZSTD_DCtx *zstd = ZSTD_createDCtx();
 *         error = tflz_decode(zstd, dst, info.output_size, src, src_size, workspace, info.workspace_size);
 *         ...
 *
 * zstd's context is the caller's too: one from ZSTD_createDCtx() may serve any number of containers, one after the
 * other, and ZSTD_initStaticDCtx() makes one in memory that is there already, where there is no malloc.
 */
#ifndef TFLZ_H
#define TFLZ_H

#include <stddef.h>
#include <zstd.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    TFLZ_OK = 0,
    TFLZ_ERROR_NO_CONTAINER,  /* the bytes do not begin as a container does */
    TFLZ_ERROR_VERSION,       /* a later version of the format */
    TFLZ_ERROR_SIZE,          /* cut off, or other bytes follow */
    TFLZ_ERROR_TOO_LARGE,     /* the output is larger than accepted */
    TFLZ_ERROR_DIRECTORY,     /* the directory is damaged, or breaks a rule of the format */
    TFLZ_ERROR_FRAME,         /* a frame is damaged, or not of the kind that the format has */
    TFLZ_ERROR_CONTENT,       /* what a frame holds contradicts the directory */
    TFLZ_ERROR_CHECKSUM,      /* the output has another checksum */
    TFLZ_ERROR_WORKSPACE      /* less than `tflz_inspect` asked for, or not aligned, or no zstd context */
} tflz_error;

/* What an error means, in a few words: a string that is always there. */
const char *tflz_error_name(tflz_error error);

typedef struct {
    size_t output_size;    /* bytes of the file in the container */
    size_t workspace_size; /* bytes that `tflz_decode` needs besides; 0 is possible */
    size_t n_ranges;       /* stretches of the output that regions fill */
    size_t n_regions;      /* tensors, or parts of one, that do not travel as literal bytes */
} tflz_info;

/* Checks everything but what is inside of frames, and says what a decoder needs. `info` is set only if TFLZ_OK is
 * returned. The workspace is at most 12 times the directory, which is part of `src`, and 72 MiB; for a model it is a
 * few MiB at most. */
tflz_error tflz_inspect(const void *src, size_t src_size, size_t max_output_size, tflz_info *info);

/* Decodes the whole file into the first `output_size` bytes of `dst`, of which there must be as many. Nothing else is
 * written but the workspace, which is aligned as malloc does it and needs no initial value. Neither may overlap `src`.
 * After an error the bytes of `dst` mean nothing. */
tflz_error tflz_decode(ZSTD_DCtx *zstd, void *dst, size_t dst_size, const void *src, size_t src_size, void *workspace,
                       size_t workspace_size);

#ifdef __cplusplus
}
#endif
#endif
