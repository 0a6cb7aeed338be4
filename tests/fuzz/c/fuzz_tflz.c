/* Any bytes at all through the C decoder: `try_container` says nothing if all is well and ends the process if not.
 *
 * With libFuzzer this is a fuzzer whose mutations mend the checksums that they break; see files.c for the same without.
 * Every container is decoded twice: as it is, and by a zstd that overlooks the checksums of frames, so that damage gets
 * behind them. */
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_d_forceIgnoreChecksum */
#include <zstd.h>

#include "tflz.c"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz_tflz.h"

#if defined(__SANITIZE_ADDRESS__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#ifdef WATCHED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { MAX_OUTPUT = 1 << 20, MAX_WORKSPACE = 1 << 23, GUARD = 64, GUARD_BYTE = 0xA5 };

static void demand(int holds, const char *rule)
{
    if (!holds) {
        fprintf(stderr, "fuzz_tflz: %s\n", rule);
        abort();
    }
}

/* Memory between guards: code that is compiled for it may not touch them, and no other code, libzstd's, may write. */
static byte *guarded(size_t size, int fill)
{
    byte *memory = malloc(size + 2 * GUARD);
    demand(memory != NULL, "out of memory");
    memset(memory, GUARD_BYTE, size + 2 * GUARD);
    memset(memory + GUARD, fill, size);
    ASAN_POISON_MEMORY_REGION(memory, GUARD);
    ASAN_POISON_MEMORY_REGION(memory + GUARD + size, GUARD);
    return memory + GUARD;
}

static void check_guards(byte *inner, size_t size)
{
    byte *memory = inner - GUARD;
    ASAN_UNPOISON_MEMORY_REGION(memory, size + 2 * GUARD);
    for (size_t i = 0; i < GUARD; i++)
        demand(memory[i] == GUARD_BYTE && inner[size + i] == GUARD_BYTE, "wrote outside of its memory");
    free(memory);
}

static tflz_error decode(ZSTD_DCtx *zstd, byte *output, size_t size, const byte *data, size_t data_size, size_t room,
                         int fill)
{
    byte *workspace = guarded(room, fill);
    tflz_error error = tflz_decode(zstd, output, size, data, data_size, workspace, room);
    check_guards(workspace, room);
    return error;
}

tflz_error try_container(const byte *data, size_t size)
{
    static ZSTD_DCtx *strict, *lenient;
    if (strict == NULL) {
        strict = ZSTD_createDCtx();
        lenient = ZSTD_createDCtx();
        ZSTD_DCtx_setParameter(lenient, ZSTD_d_forceIgnoreChecksum, ZSTD_d_ignoreChecksum);
    }
    tflz_info info;
    tflz_error error = tflz_inspect(data, size, MAX_OUTPUT, &info);
    if (error != TFLZ_OK) {
        byte nothing[1];
        demand(tflz_decode(strict, nothing, 0, data, size, NULL, 0) != TFLZ_OK, "decodes what it does not inspect");
        return error;
    }
    demand(info.output_size <= MAX_OUTPUT, "lets an output through that is too large");
    if (info.workspace_size > MAX_WORKSPACE)
        return TFLZ_ERROR_WORKSPACE;
    byte *output = guarded(info.output_size, 0x11), *other = guarded(info.output_size, 0x22);
    if (info.output_size > 0)
        demand(decode(strict, output, info.output_size - 1, data, size, info.workspace_size, 0) == TFLZ_ERROR_TOO_LARGE,
               "decodes into less memory than the output takes");
    if (info.workspace_size > 0)
        demand(decode(strict, output, info.output_size, data, size, info.workspace_size - 1, 0) != TFLZ_OK,
               "decodes with less workspace than it asked for");
    error = decode(strict, output, info.output_size, data, size, info.workspace_size, 0x33);
    tflz_error leniently = decode(lenient, other, info.output_size, data, size, info.workspace_size, 0x44);
    if (error == TFLZ_OK) {
        demand(leniently == TFLZ_OK && memcmp(output, other, info.output_size) == 0, "decodes differently each time");
        demand(xxh64_end(xxh64_begin, output, info.output_size) == get_little(data + 24, 8), "gives other bytes");
    }
    check_guards(output, info.output_size);
    check_guards(other, info.output_size);
    return error;
}

#ifdef LIBFUZZER
size_t LLVMFuzzerMutate(byte *data, size_t size, size_t max_size);
int LLVMFuzzerTestOneInput(const byte *data, size_t size);
size_t LLVMFuzzerCustomMutator(byte *data, size_t size, size_t max_size, unsigned seed);

int LLVMFuzzerTestOneInput(const byte *data, size_t size)
{
    byte *copy = guarded(size, 0);
    memcpy(copy, data, size);
    try_container(copy, size);
    check_guards(copy, size);
    return 0;
}

static void put_64(byte *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (byte)(value >> (8 * i));
}

static size_t directory_size(const byte *data, size_t size)
{
    size_t found = size < HEADER_SIZE + CHECKSUM_SIZE ? 0 : (size_t)get_little(data + 32, 4);
    return found <= size - HEADER_SIZE - CHECKSUM_SIZE ? found : 0;
}

/* The size of the container and the checksum of its directory put right. */
static size_t mended(byte *data, size_t size)
{
    if (size >= HEADER_SIZE + CHECKSUM_SIZE) {
        size_t end = HEADER_SIZE + directory_size(data, size);
        put_64(data + 8, size, 8);
        put_64(data + end, xxh64_end(xxh64_begin, data, end), CHECKSUM_SIZE);
    }
    return size;
}

/* `old` bytes of the data replaced by others, if there is room. */
static size_t replaced(byte *data, size_t size, size_t max_size, size_t at, size_t old, const byte *by, size_t by_size)
{
    if (size - old + by_size > max_size)
        return size;
    memmove(data + at + by_size, data + at + old, size - at - old);
    memcpy(data + at, by, by_size);
    return size - old + by_size;
}

/* A number of the directory that starts at or behind `from` replaced by another. */
static size_t with_number(byte *data, size_t size, size_t max_size, size_t from, uint64_t value)
{
    size_t directory = directory_size(data, size), end = HEADER_SIZE + directory, at = HEADER_SIZE + from, old = 0;
    byte by[10];
    size_t by_size = 0;
    while (at > HEADER_SIZE && at < end && data[at - 1] >= 0x80)
        at++;
    while (at + old < end && old < 10 && data[at + old++] >= 0x80)
        ;
    if (at >= end)
        return size;
    for (by[0] = 0; by_size == 0 || value > 0; value >>= 7) {
        by[by_size] = (byte)(value & 0x7F);
        if (by_size++ > 0)
            by[by_size - 2] |= 0x80;
    }
    size_t found = replaced(data, size, max_size, at, old, by, by_size);
    if (found != size || by_size == old)
        put_64(data + 32, directory - old + by_size, 4);
    return found;
}

/* The content of a frame mutated and packed anew; where that takes another size, the directory's first number of the
 * old size becomes the new one. */
static size_t with_content(byte *data, size_t size, size_t max_size, unsigned seed)
{
    enum { ROOM = 1 << 14 };
    static byte content[ROOM], frame[ROOM + 512];
    static ZSTD_CCtx *zstd;
    size_t at = HEADER_SIZE + directory_size(data, size) + CHECKSUM_SIZE, frame_size = 0;
    for (unsigned skipped = 0; at < size && skipped <= seed % 8; skipped++) {
        size_t next = ZSTD_findFrameCompressedSize(data + at + frame_size, size - at - frame_size);
        if (ZSTD_isError(next))
            break;
        at += frame_size;
        frame_size = next;
    }
    size_t content_bytes = frame_size > 0 ? ZSTD_decompress(content, ROOM, data + at, frame_size) : 0;
    if (frame_size == 0 || ZSTD_isError(content_bytes))
        return size;
    content_bytes = LLVMFuzzerMutate(content, content_bytes, seed & 64 ? content_bytes : ROOM);
    if (zstd == NULL) {
        zstd = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    }
    size_t packed = ZSTD_compress2(zstd, frame, sizeof frame, content, content_bytes);
    if (ZSTD_isError(packed))
        return size;
    size_t found = replaced(data, size, max_size, at, frame_size, frame, packed);
    const byte *directory = data + HEADER_SIZE;
    for (size_t i = 0; packed != frame_size && i < directory_size(data, found); i++)
        if (directory[i] == (frame_size & 0x7F) + (frame_size > 127 ? 128 : 0))
            return with_number(data, found, max_size, i, packed);
    return found;
}

size_t LLVMFuzzerCustomMutator(byte *data, size_t size, size_t max_size, unsigned seed)
{
    static const unsigned shifts[] = {0, 1, 2, 7, 8, 9, 15, 16, 24, 25, 31, 32, 40, 63};
    unsigned kind = seed & 7, chance = seed >> 3;
    size_t directory = directory_size(data, size);
    if (kind == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    if (kind <= 2 && directory > 0) {
        uint64_t value = ((uint64_t)1 << shifts[chance % 14]) + (chance >> 6) % 3 - 1;
        return mended(data, with_number(data, size, max_size, (chance >> 8) % directory, value));
    }
    if (kind <= 5)
        return mended(data, with_content(data, size, max_size, chance));
    if (kind == 6 && directory > 0) {
        LLVMFuzzerMutate(data + HEADER_SIZE, directory, directory);
        return mended(data, size);
    }
    return mended(data, LLVMFuzzerMutate(data, size, max_size));
}
#endif
