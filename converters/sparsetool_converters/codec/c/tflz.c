/* The decoder of tflz.h. "FORMAT" in comments is docs/FORMAT.md, with the name of a section.
 *
 * Whatever comes from a container is checked where it is read: numbers of the directory by `number`, sizes of contents
 * by `take_stream`. Everything behind relies on that, and on nothing else. */
#include "tflz.h"

#include <stdint.h>
#include <string.h>

#if SIZE_MAX < 0xFFFFFFFF
#error "sizes of less than 32 bits are too small for the numbers of the format"
#endif

typedef unsigned char byte;

enum {
    HEADER_SIZE = 36,
    DIRECTORY_CHECKSUM_SIZE = 4,
    MAX_UNIT = 1 << 16,       /* elements */
    MAX_REGION = 1 << 25,     /* bytes of a region's ranges, and of its streams */
    MAX_STREAM_RATIO = 8,     /* bytes of streams for each byte of ranges */
    MAX_WINDOW = 1 << 23,     /* bytes */
    MAX_LIST = 256,           /* elements */
    MAX_STREAMS = 2 + 8,      /* counts, gaps, planes of 8 bytes */
    BATCH = 256               /* units that are put into their places at a time */
};
#define MAX_PLACES 0x7FFFFFFFu

enum { ALL = 0, GAPS = 1, MASK = 2 };                /* FORMAT, Region: places */
enum { PLAIN = 0, PLANES = 1, TURNED = 2, LIST = 3 }; /* coding */
enum { VALUES = 0, INDICES = 1, SEGMENTS = 2 };       /* ranges */

const char *tflz_error_name(tflz_error error)
{
    switch (error) {
    case TFLZ_OK: return "ok";
    case TFLZ_ERROR_NO_CONTAINER: return "not a .tflz container";
    case TFLZ_ERROR_VERSION: return "a container of an unknown version";
    case TFLZ_ERROR_SIZE: return "cut off, or followed by other bytes";
    case TFLZ_ERROR_TOO_LARGE: return "the output is larger than accepted";
    case TFLZ_ERROR_DIRECTORY: return "the directory is damaged";
    case TFLZ_ERROR_FRAME: return "a frame is damaged";
    case TFLZ_ERROR_CONTENT: return "the content of a frame contradicts the directory";
    case TFLZ_ERROR_CHECKSUM: return "the checksum of the output differs";
    case TFLZ_ERROR_WORKSPACE: return "too little workspace, or no zstd context";
    }
    return "an unknown error";
}

/* ---- Numbers in memory of any alignment ------------------------------------------------------------------------ */

static inline uint64_t get_little(const byte *from, unsigned size)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < size; i++)
        found |= (uint64_t)from[i] << (8 * i);
    return found;
}

static inline void put_little(byte *to, size_t place, unsigned size, uint32_t value)
{
    to += place * size;
    for (unsigned i = 0; i < size; i++)
        to[i] = (byte)(value >> (8 * i));
}

/* Arrays of the workspace. */
static inline uint32_t get_item(const byte *array, size_t place)
{
    uint32_t item;
    memcpy(&item, array + place * sizeof item, sizeof item);
    return item;
}

static inline void put_item(byte *array, size_t place, uint32_t item)
{
    memcpy(array + place * sizeof item, &item, sizeof item);
}

/* ---- XXH64, seed 0 --------------------------------------------------------------------------------------------- */

static const uint64_t P1 = 0x9E3779B185EBCA87u, P2 = 0xC2B2AE3D27D4EB4Fu, P3 = 0x165667B19E3779F9u,
                      P4 = 0x85EBCA77C2B2AE63u, P5 = 0x27D4EB2F165667C5u;

static inline uint64_t turn_left(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static inline uint64_t xxh64_round(uint64_t sum, uint64_t input)
{
    return turn_left(sum + input * P2, 31) * P1;
}

static inline uint64_t xxh64_merge(uint64_t hash, uint64_t sum)
{
    return (hash ^ xxh64_round(0, sum)) * P1 + P4;
}

static uint64_t xxh64(const byte *data, size_t size)
{
    uint64_t hash = P5;
    size_t at = 0;
    if (size >= 32) {
        uint64_t a = P1 + P2, b = P2, c = 0, d = 0 - P1;
        for (; size - at >= 32; at += 32) {
            a = xxh64_round(a, get_little(data + at, 8));
            b = xxh64_round(b, get_little(data + at + 8, 8));
            c = xxh64_round(c, get_little(data + at + 16, 8));
            d = xxh64_round(d, get_little(data + at + 24, 8));
        }
        hash = turn_left(a, 1) + turn_left(b, 7) + turn_left(c, 12) + turn_left(d, 18);
        hash = xxh64_merge(xxh64_merge(xxh64_merge(xxh64_merge(hash, a), b), c), d);
    }
    hash += size;
    for (; size - at >= 8; at += 8)
        hash = turn_left(hash ^ xxh64_round(0, get_little(data + at, 8)), 27) * P1 + P4;
    if (size - at >= 4) {
        hash = turn_left(hash ^ (get_little(data + at, 4) * P1), 23) * P2 + P3;
        at += 4;
    }
    for (; at < size; at++)
        hash = turn_left(hash ^ (data[at] * P5), 11) * P1;
    hash = (hash ^ (hash >> 33)) * P2;
    hash = (hash ^ (hash >> 29)) * P3;
    return hash ^ (hash >> 32);
}

/* ---- FORMAT, Container: the header ------------------------------------------------------------------------------ */

typedef struct {
    const byte *at;
    size_t left;
    int broken; /* something was read that is not there or not allowed; all that is read from then on means nothing */
} reader;

typedef struct {
    reader directory, frames;
    size_t output_size;
    uint64_t output_hash;
} container;

static tflz_error open_container(const byte *src, size_t src_size, size_t max_output_size, container *c)
{
    if (src_size < 4 || memcmp(src, "TFLZ", 4) != 0)
        return TFLZ_ERROR_NO_CONTAINER;
    if (src_size < HEADER_SIZE + DIRECTORY_CHECKSUM_SIZE)
        return TFLZ_ERROR_SIZE;
    if (get_little(src + 4, 4) != 1)
        return TFLZ_ERROR_VERSION;
    if (get_little(src + 8, 8) != src_size)
        return TFLZ_ERROR_SIZE;
    if (get_little(src + 16, 8) > max_output_size)
        return TFLZ_ERROR_TOO_LARGE;
    c->output_size = (size_t)get_little(src + 16, 8);
    c->output_hash = get_little(src + 24, 8);
    size_t left = src_size - HEADER_SIZE - DIRECTORY_CHECKSUM_SIZE;
    size_t directory_size = (size_t)get_little(src + 32, 4);
    if (directory_size > left)
        return TFLZ_ERROR_DIRECTORY;
    const byte *checksum = src + HEADER_SIZE + directory_size;
    if ((xxh64(src, HEADER_SIZE + directory_size) & 0xFFFFFFFFu) != get_little(checksum, DIRECTORY_CHECKSUM_SIZE))
        return TFLZ_ERROR_DIRECTORY;
    c->directory = (reader){src + HEADER_SIZE, directory_size, 0};
    c->frames = (reader){checksum + DIRECTORY_CHECKSUM_SIZE, left - directory_size, 0};
    return TFLZ_OK;
}

/* A varint that must be in these bounds; `least` if it is not, and then the reader is broken. */
static uint64_t number(reader *in, uint64_t least, uint64_t most)
{
    uint64_t found = 0;
    for (unsigned shift = 0; shift < 70 && in->left > 0; shift += 7) {
        byte next = *in->at++;
        in->left--;
        if (shift == 63 && next > 1)
            break; /* 2^64 or more */
        found |= (uint64_t)(next & 0x7F) << shift;
        if (next < 0x80) {
            if (found < least || found > most)
                break;
            return found;
        }
    }
    in->broken = 1;
    return least;
}

static int is_power_of_two(unsigned value)
{
    return (value & (value - 1)) == 0;
}

/* ---- FORMAT, Container: a frame --------------------------------------------------------------------------------- */

typedef struct {
    const byte *frame;
    size_t frame_size;
    size_t content_size;
} stream;

/* Size of the content, from the frame's header as RFC 8878 has it (3.1.1.1); 0 if it is no frame of our kind. */
static uint64_t content_size(const byte *frame, size_t size)
{
    if (size < 6 || get_little(frame, 4) != 0xFD2FB528u)
        return 0;
    unsigned long long content = ZSTD_getFrameContentSize(frame, size);
    if (content == ZSTD_CONTENTSIZE_UNKNOWN || content == ZSTD_CONTENTSIZE_ERROR)
        return 0;
    unsigned descriptor = frame[4];
    int has_checksum = (descriptor & 4) != 0, is_single_segment = (descriptor & 32) != 0;
    uint64_t window = content;
    if (!is_single_segment) {
        uint64_t base = (uint64_t)1 << (10 + (frame[5] >> 3));
        window = base + base / 8 * (frame[5] & 7);
    }
    return has_checksum && window <= MAX_WINDOW && ZSTD_getDictID_fromFrame(frame, size) == 0 ? content : 0;
}

/* The next frame, whose size stands next in the directory, and whose content must have a size in these bounds. */
static tflz_error take_stream(container *c, uint64_t least, uint64_t most, stream *s)
{
    reader *frames = &c->frames;
    s->frame_size = (size_t)number(&c->directory, 0, frames->left);
    if (c->directory.broken)
        return TFLZ_ERROR_DIRECTORY;
    s->frame = frames->at;
    uint64_t size = 0;
    if (s->frame_size > 0) {
        frames->at += s->frame_size;
        frames->left -= s->frame_size;
        size = content_size(s->frame, s->frame_size);
        if (size == 0)
            return TFLZ_ERROR_FRAME;
    }
    if (size < least || size > most)
        return TFLZ_ERROR_CONTENT;
    s->content_size = (size_t)size;
    return TFLZ_OK;
}

static tflz_error decode_frame(ZSTD_DCtx *zstd, const stream *s, byte *to)
{
    if (s->content_size == 0)
        return TFLZ_OK;
    if (ZSTD_findFrameCompressedSize(s->frame, s->frame_size) != s->frame_size)
        return TFLZ_ERROR_FRAME; /* damaged, or several frames */
    if (ZSTD_decompressDCtx(zstd, to, s->content_size, s->frame, s->frame_size) != s->content_size)
        return TFLZ_ERROR_FRAME;
    return TFLZ_OK;
}

/* ---- FORMAT, Region: what the directory says of one -------------------------------------------------------------- */

typedef struct {
    int is_encoded;
    unsigned places, coding, element_size;
    size_t unit_size; /* bytes */
    uint32_t rows, columns, kept;
    uint32_t index_columns, first;
    unsigned index_size, segment_size;
    size_t n_ranges, range[3], range_length[3];
    unsigned count_size; /* bytes of each number in `counts` */
    stream counts, gaps, mask;
    unsigned n_value_streams;
    stream values[MAX_STREAMS - 2];
    size_t kept_elements, scratch_size;
} region;

/* Whether values are sent in the order in which they stand in the output, and without gaps. */
static int values_are_in_place(const region *r)
{
    return r->places == ALL || (r->is_encoded && r->rows == 1);
}

static tflz_error take_place_streams(container *c, region *r)
{
    tflz_error error = TFLZ_OK;
    r->count_size = r->columns < 1u << 8 ? 1 : r->columns < 1u << 16 ? 2 : 4;
    if (r->places == GAPS && r->rows > 1) {
        uint64_t size = (uint64_t)r->rows * r->count_size;
        error = take_stream(c, size, size, &r->counts);
    }
    if (error == TFLZ_OK && r->places == GAPS)
        error = take_stream(c, r->kept, r->kept > 0 ? MAX_REGION : 0, &r->gaps);
    if (error == TFLZ_OK && r->places == MASK) {
        uint64_t size = ((uint64_t)r->columns + 7) / 8;
        error = take_stream(c, size, size, &r->mask);
    }
    return error;
}

static tflz_error take_value_streams(container *c, region *r, uint64_t kept_elements)
{
    uint64_t size = r->coding == PLAIN ? kept_elements * r->element_size : kept_elements, least = size, most = size;
    r->n_value_streams = r->coding == PLAIN ? 1 : r->coding == LIST ? 2 : r->element_size;
    for (unsigned i = 0; i < r->n_value_streams; i++) {
        int is_list = r->coding == LIST && i == 0;
        if (is_list) {
            least = r->kept > 0 ? r->element_size : 0;
            most = least * MAX_LIST;
        } else {
            least = most = size;
        }
        tflz_error error = take_stream(c, least, most, &r->values[i]);
        if (error != TFLZ_OK)
            return error;
        if (is_list && r->values[i].content_size % r->element_size != 0)
            return TFLZ_ERROR_CONTENT;
    }
    return TFLZ_OK;
}

/* The next region of the directory. Its ranges are told by number and length and have yet to be looked up. */
static tflz_error read_region(container *c, size_t n_ranges, region *r)
{
    reader *in = &c->directory;
    memset(r, 0, sizeof *r);
    r->is_encoded = (int)number(in, 0, 1);
    r->places = (unsigned)number(in, ALL, MASK);
    r->coding = (unsigned)number(in, PLAIN, LIST);
    r->element_size = (unsigned)number(in, 1, 8);
    unsigned unit = (unsigned)number(in, 1, MAX_UNIT);
    r->rows = (uint32_t)number(in, 1, r->places == GAPS ? MAX_PLACES : 1);
    r->columns = (uint32_t)number(in, 1, MAX_PLACES / r->rows);
    uint32_t units = r->rows * r->columns;
    r->kept = (uint32_t)number(in, r->places == ALL ? units : r->is_encoded ? 1 : 0, units);
    r->range[VALUES] = (size_t)number(in, 0, n_ranges - 1);
    r->n_ranges = 1;
    r->unit_size = (size_t)unit * r->element_size;
    uint64_t lengths[3] = {(uint64_t)units * r->unit_size, 0, 0};
    if (r->is_encoded) {
        r->index_columns = (uint32_t)number(in, 1, r->columns);
        r->first = (uint32_t)number(in, 0, MAX_PLACES - r->kept);
        r->range[INDICES] = (size_t)number(in, 0, n_ranges - 1);
        r->index_size = (unsigned)number(in, 1, 4);
        r->range[SEGMENTS] = (size_t)number(in, 0, n_ranges - 1);
        r->segment_size = (unsigned)number(in, 1, 4);
        r->n_ranges = 3;
        if (r->columns % r->index_columns != 0 || !is_power_of_two(r->index_size) || !is_power_of_two(r->segment_size)
            || (uint64_t)(r->index_columns - 1) >> (8 * r->index_size) != 0
            || (uint64_t)(r->first + r->kept) >> (8 * r->segment_size) != 0)
            return TFLZ_ERROR_DIRECTORY;
        lengths[VALUES] = (uint64_t)r->kept * r->unit_size;
        lengths[INDICES] = (uint64_t)r->kept * r->index_size;
        lengths[SEGMENTS] = (uint64_t)(units / r->index_columns) * r->segment_size;
    }
    uint64_t room = lengths[VALUES] + lengths[INDICES] + lengths[SEGMENTS];
    if (in->broken || !is_power_of_two(r->element_size) || room > MAX_REGION)
        return TFLZ_ERROR_DIRECTORY;
    for (unsigned i = 0; i < r->n_ranges; i++)
        r->range_length[i] = (size_t)lengths[i];
    r->kept_elements = (size_t)r->kept * unit;
    tflz_error error = take_place_streams(c, r);
    if (error == TFLZ_OK)
        error = take_value_streams(c, r, r->kept_elements);
    if (error != TFLZ_OK)
        return error;
    uint64_t places_size = (uint64_t)r->counts.content_size + r->gaps.content_size + r->mask.content_size;
    uint64_t values_size = 0;
    for (unsigned i = 0; i < r->n_value_streams; i++)
        values_size += r->values[i].content_size;
    if (places_size + values_size > MAX_REGION || places_size + values_size > room * MAX_STREAM_RATIO)
        return TFLZ_ERROR_CONTENT;
    if (r->coding == PLAIN)
        values_size = 0; /* they need not be put together */
    if (!values_are_in_place(r))
        values_size += (uint64_t)r->kept * r->unit_size;
    if (r->rows > 1)
        places_size += (uint64_t)r->rows * 2 * sizeof(uint32_t);
    r->scratch_size = (size_t)(places_size + values_size);
    return TFLZ_OK;
}

/* ---- FORMAT, Values --------------------------------------------------------------------------------------------- */

/* One behind the other from planes; `size` is known where this is inlined. */
static inline void join_planes(byte *restrict to, const byte *restrict planes, size_t n, unsigned size)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned b = 0; b < size; b++)
            to[i * size + b] = planes[b * n + i];
}

/* The same, turned right by one bit: the lowest bit of each byte goes to the top of the one below. */
static inline void join_turned(byte *restrict to, const byte *restrict planes, size_t n, unsigned size)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned b = 0; b < size; b++)
            to[i * size + b] = (byte)(planes[b * n + i] >> 1 | planes[(b + 1) % size * n + i] << 7);
}

static inline void look_up(byte *restrict to, const byte *restrict list, const byte *restrict choices, size_t n,
                           unsigned size)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * size, list + (size_t)choices[i] * size, size);
}

#define WITH_SIZE(size, call, ...)           \
    switch (size) {                          \
    case 1: call(__VA_ARGS__, 1); break;     \
    case 2: call(__VA_ARGS__, 2); break;     \
    case 4: call(__VA_ARGS__, 4); break;     \
    case 8: call(__VA_ARGS__, 8); break;     \
    }

/* The values of all kept units, in the order in which they are sent. The scratch takes all streams but plain ones. */
static tflz_error decode_values(ZSTD_DCtx *zstd, const region *r, byte *to, byte *scratch)
{
    byte *content = r->coding == PLAIN ? to : scratch;
    for (unsigned i = 0; i < r->n_value_streams; i++) {
        tflz_error error = decode_frame(zstd, &r->values[i], content);
        if (error != TFLZ_OK)
            return error;
        content += r->values[i].content_size;
    }
    size_t n = r->kept_elements;
    if (r->coding == PLANES) {
        WITH_SIZE(r->element_size, join_planes, to, scratch, n)
    } else if (r->coding == TURNED) {
        WITH_SIZE(r->element_size, join_turned, to, scratch, n)
    } else if (r->coding == LIST) {
        const byte *choices = scratch + r->values[0].content_size;
        unsigned most = 0;
        for (size_t i = 0; i < n; i++)
            most = choices[i] > most ? choices[i] : most;
        if (n > 0 && most >= r->values[0].content_size / r->element_size)
            return TFLZ_ERROR_CONTENT;
        WITH_SIZE(r->element_size, look_up, to, scratch, choices, n)
    }
    return TFLZ_OK;
}

/* ---- FORMAT, Dense form and Encoded form ------------------------------------------------------------------------- */

/* Where units go, row by row. Before the first unit of a row: `begin_row`; behind its last: `end_row`. */
typedef struct {
    const region *r;
    byte *out[3];         /* the region's ranges */
    const byte *values;   /* of the next unit that was sent; NULL if all are where they belong */
    size_t row_place;     /* place of the row's first unit */
    uint32_t rank;        /* number of the next unit among the kept ones, in order of places */
    uint32_t index_row;   /* row of the index that the next unit is in, or an earlier one, */
    uint32_t index_end;   /* and the column in which it ends */
} sink;

static void begin_row(sink *s, uint32_t row, uint32_t rank)
{
    s->row_place = (size_t)row * s->r->columns;
    s->rank = rank;
    if (s->r->is_encoded) {
        s->index_row = row * (s->r->columns / s->r->index_columns);
        s->index_end = s->r->index_columns;
    }
}

static inline void end_index_row(sink *s)
{
    put_little(s->out[SEGMENTS], s->index_row++, s->r->segment_size, s->r->first + s->rank);
    s->index_end += s->r->index_columns;
}

static void end_row(sink *s)
{
    if (s->r->is_encoded)
        while (s->index_end <= s->r->columns)
            end_index_row(s);
}

static inline void scatter(byte *restrict to, const byte *restrict values, const uint32_t *restrict columns, size_t n,
                           size_t size)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + columns[i] * size, values + i * size, size);
}

/* The next units of the row, in these columns, ascending and all in the row. */
static void put_units(sink *s, const uint32_t *columns, size_t n)
{
    const region *r = s->r;
    size_t size = r->unit_size;
    if (r->is_encoded) {
        if (s->values != NULL)
            memcpy(s->out[VALUES] + s->rank * size, s->values, n * size);
        for (size_t i = 0; i < n; i++) {
            while (columns[i] >= s->index_end)
                end_index_row(s);
            put_little(s->out[INDICES], s->rank++, r->index_size, columns[i] - (s->index_end - r->index_columns));
        }
    } else {
        byte *to = s->out[VALUES] + s->row_place * size;
        switch (size) {
        case 1: scatter(to, s->values, columns, n, 1); break;
        case 2: scatter(to, s->values, columns, n, 2); break;
        case 4: scatter(to, s->values, columns, n, 4); break;
        case 8: scatter(to, s->values, columns, n, 8); break;
        case 16: scatter(to, s->values, columns, n, 16); break;
        case 64: scatter(to, s->values, columns, n, 64); break;
        default: scatter(to, s->values, columns, n, size);
        }
    }
    if (s->values != NULL)
        s->values += n * size;
}

/* ---- FORMAT, Places --------------------------------------------------------------------------------------------- */

/* All, which has to be told only to an index. */
static void put_all(const region *r, sink *s)
{
    uint32_t columns[BATCH];
    begin_row(s, 0, 0);
    for (uint32_t begin = 0, n; begin < r->columns; begin += n) {
        n = r->columns - begin < BATCH ? r->columns - begin : BATCH;
        for (uint32_t i = 0; i < n; i++)
            columns[i] = begin + i;
        put_units(s, columns, n);
    }
    end_row(s);
}

static tflz_error put_mask(const region *r, const byte *mask, sink *s)
{
    uint32_t columns[BATCH], left = r->kept;
    size_t n = 0;
    if (r->columns % 8 != 0 && mask[r->columns / 8] >> (r->columns % 8) != 0)
        return TFLZ_ERROR_CONTENT;
    begin_row(s, 0, 0);
    for (uint32_t place = 0; place < r->columns; place += 8) {
        unsigned bits = mask[place / 8];
        for (uint32_t i = 0; i < 8; i++) { /* a place without its bit is overwritten by the next */
            columns[n] = place + i;
            n += bits >> i & 1;
        }
        if (n > BATCH - 8 || r->columns - place <= 8) {
            if (n > left)
                return TFLZ_ERROR_CONTENT;
            put_units(s, columns, n);
            left -= (uint32_t)n;
            n = 0;
        }
    }
    end_row(s);
    return left == 0 ? TFLZ_OK : TFLZ_ERROR_CONTENT;
}

static uint32_t count_of_row(const region *r, const byte *counts, uint32_t row)
{
    uint32_t count = 0;
    for (unsigned plane = 0; plane < r->count_size; plane++)
        count |= (uint32_t)counts[(size_t)plane * r->rows + row] << (8 * plane);
    return count;
}

static tflz_error check_counts(const region *r, const byte *counts)
{
    uint32_t left = r->kept;
    for (uint32_t row = 0; row < r->rows; row++) {
        uint32_t count = count_of_row(r, counts, row);
        if (count > r->columns || count > left)
            return TFLZ_ERROR_CONTENT;
        left -= count;
    }
    return left == 0 ? TFLZ_OK : TFLZ_ERROR_CONTENT;
}

/* The rows in ascending order of their counts, stable: by the low byte first, then by the next. Both arrays have an
 * item for each row; returns the one that the order is in. */
static byte *sort_rows(const region *r, const byte *counts, byte *array, byte *other)
{
    for (unsigned plane = 0; plane < r->count_size; plane++) {
        const byte *key = counts + (size_t)plane * r->rows;
        uint32_t ends[256] = {0}, begins[256], begin = 0;
        for (uint32_t row = 0; row < r->rows; row++)
            ends[key[row]]++;
        for (unsigned k = 0; k < 256; k++) {
            begins[k] = begin;
            begin += ends[k];
        }
        for (uint32_t i = 0; i < r->rows; i++) {
            uint32_t row = plane == 0 ? i : get_item(array, i);
            put_item(other, begins[key[row]]++, row);
        }
        byte *sorted = other;
        other = array;
        array = sorted;
    }
    return array;
}

typedef struct {
    const byte *at, *end; /* the last byte is below 255 */
} gap_reader;

/* Units of one row that keeps `n`. */
static tflz_error put_row(gap_reader *gaps, uint32_t n, sink *s)
{
    uint32_t columns[BATCH], column = 0, most = s->r->columns;
    const byte *at = gaps->at, *end = gaps->end;
    while (n > 0) {
        uint32_t batch = n < BATCH ? n : BATCH;
        for (uint32_t i = 0; i < batch; i++) {
            if (at == end)
                return TFLZ_ERROR_CONTENT;
            while (*at == 255) { /* not the last byte */
                column += 255;
                at++;
                if (column >= most)
                    return TFLZ_ERROR_CONTENT;
            }
            column += *at++;
            if (column >= most)
                return TFLZ_ERROR_CONTENT;
            columns[i] = column++;
        }
        put_units(s, columns, batch);
        n -= batch;
    }
    gaps->at = at;
    return TFLZ_OK;
}

/* The scratch takes two arrays with an item for each row, where rows are more than one. */
static tflz_error put_gaps(const region *r, const byte *counts, const byte *content, byte *scratch, sink *s)
{
    gap_reader gaps = {content, content + r->gaps.content_size};
    tflz_error error = TFLZ_OK;
    if (r->kept > 0 && gaps.end[-1] == 255)
        return TFLZ_ERROR_CONTENT;
    if (r->rows == 1) {
        begin_row(s, 0, 0);
        error = put_row(&gaps, r->kept, s);
        end_row(s);
    } else {
        byte *half = scratch + (size_t)r->rows * sizeof(uint32_t);
        if (check_counts(r, counts) != TFLZ_OK)
            return TFLZ_ERROR_CONTENT;
        byte *order = sort_rows(r, counts, scratch, half), *ranks = order == scratch ? half : scratch;
        uint32_t rank = 0;
        for (uint32_t row = 0; row < r->rows; row++) {
            put_item(ranks, row, rank);
            rank += count_of_row(r, counts, row);
        }
        for (uint32_t i = 0; i < r->rows && error == TFLZ_OK; i++) {
            uint32_t row = get_item(order, i);
            begin_row(s, row, get_item(ranks, row));
            error = put_row(&gaps, count_of_row(r, counts, row), s);
            end_row(s);
        }
    }
    return error == TFLZ_OK && gaps.at != gaps.end ? TFLZ_ERROR_CONTENT : error;
}

/* ---- A region, and the whole: FORMAT, How to decode -------------------------------------------------------------- */

static tflz_error decode_region(ZSTD_DCtx *zstd, const region *r, byte *const out[3], byte *scratch)
{
    int in_place = values_are_in_place(r);
    byte *counts = scratch, *gaps = counts + r->counts.content_size, *mask = gaps + r->gaps.content_size;
    byte *rows = mask + r->mask.content_size;
    byte *values = rows + (r->rows > 1 ? (size_t)r->rows * 2 * sizeof(uint32_t) : 0);
    byte *value_streams = in_place ? values : values + (size_t)r->kept * r->unit_size;
    tflz_error error = decode_frame(zstd, &r->counts, counts);
    if (error == TFLZ_OK)
        error = decode_frame(zstd, &r->gaps, gaps);
    if (error == TFLZ_OK)
        error = decode_frame(zstd, &r->mask, mask);
    if (error == TFLZ_OK)
        error = decode_values(zstd, r, in_place ? out[VALUES] : values, value_streams);
    if (error != TFLZ_OK)
        return error;
    if (!r->is_encoded && r->places == ALL)
        return TFLZ_OK;
    if (!r->is_encoded)
        memset(out[VALUES], 0, r->range_length[VALUES]);
    sink s = {r, {out[VALUES], out[INDICES], out[SEGMENTS]}, in_place ? NULL : values, 0, 0, 0, 0};
    if (r->places == MASK)
        return put_mask(r, mask, &s);
    if (r->places == GAPS)
        return put_gaps(r, counts, gaps, rows, &s);
    put_all(r, &s);
    return TFLZ_OK;
}

/* In the workspace, one for each range of the directory. */
typedef struct {
    size_t start, length;
    int is_used;
} range;

/* What there is to work with; scratch of regions comes right behind the ranges. */
typedef struct {
    ZSTD_DCtx *zstd;
    byte *output; /* NULL if the container is only checked */
    byte *ranges;
    size_t ranges_size;
} job;

static range get_range(const byte *ranges, size_t place)
{
    range found;
    memcpy(&found, ranges + place * sizeof found, sizeof found);
    return found;
}

static void put_range(byte *ranges, size_t place, range r)
{
    memcpy(ranges + place * sizeof r, &r, sizeof r);
}

/* Takes the ranges that a region fills from those that are left, and tells where they are. */
static tflz_error take_ranges(const job *j, const region *r, byte *out[3])
{
    for (unsigned i = 0; i < r->n_ranges; i++) {
        range found = get_range(j->ranges, r->range[i]);
        if (found.is_used || found.length != r->range_length[i])
            return TFLZ_ERROR_DIRECTORY;
        if (j->output != NULL)
            out[i] = j->output + found.start;
        found.is_used = 1;
        put_range(j->ranges, r->range[i], found);
    }
    return TFLZ_OK;
}

/* Step 2: literal bytes come to the end of the output and go from there to between the ranges. */
static tflz_error decode_literals(const job *j, const stream *literal, size_t output_size, size_t n_ranges)
{
    if (literal->content_size == 0)
        return TFLZ_OK;
    size_t from = output_size - literal->content_size, at = 0;
    tflz_error error = decode_frame(j->zstd, literal, j->output + from);
    if (error != TFLZ_OK)
        return error;
    for (size_t i = 0; i < n_ranges; i++) {
        range r = get_range(j->ranges, i);
        memmove(j->output + at, j->output + from, r.start - at);
        from += r.start - at;
        at = r.start + r.length;
    }
    return TFLZ_OK; /* behind the last range they are where they belong */
}

/* Reads the directory and checks all that can be without decoding frames. With a job, ranges are looked up; if it has
 * an output, everything is decoded, too. */
static tflz_error read_directory(container c, const job *j, tflz_info *info)
{
    size_t end = 0, filled = 0, taken = 0, scratch_size = 0;
    info->n_ranges = (size_t)number(&c.directory, 0, c.directory.left / 2);
    if (j != NULL && info->n_ranges > j->ranges_size / sizeof(range))
        return TFLZ_ERROR_WORKSPACE;
    for (size_t i = 0; i < info->n_ranges; i++) {
        range r = {0, 0, 0};
        r.start = end + (size_t)number(&c.directory, 0, c.output_size - end);
        r.length = (size_t)number(&c.directory, 1, c.output_size - r.start);
        if (c.directory.broken)
            return TFLZ_ERROR_DIRECTORY;
        end = r.start + r.length;
        filled += r.length;
        if (j != NULL)
            put_range(j->ranges, i, r);
    }
    stream literal;
    tflz_error error = take_stream(&c, c.output_size - filled, c.output_size - filled, &literal);
    if (error == TFLZ_OK && j != NULL && j->output != NULL)
        error = decode_literals(j, &literal, c.output_size, info->n_ranges);
    info->n_regions = (size_t)number(&c.directory, 0, info->n_ranges);
    for (size_t i = 0; i < info->n_regions && error == TFLZ_OK; i++) {
        region r;
        byte *out[3] = {NULL, NULL, NULL};
        error = read_region(&c, info->n_ranges, &r);
        if (error == TFLZ_OK && j != NULL)
            error = take_ranges(j, &r, out);
        if (error == TFLZ_OK && j != NULL && j->output != NULL)
            error = decode_region(j->zstd, &r, out, j->ranges + info->n_ranges * sizeof(range));
        taken += r.n_ranges;
        scratch_size = r.scratch_size > scratch_size ? r.scratch_size : scratch_size;
    }
    if (error != TFLZ_OK)
        return error;
    if (c.directory.broken || c.directory.left > 0 || c.frames.left > 0 || taken != info->n_ranges)
        return TFLZ_ERROR_DIRECTORY;
    if (info->n_ranges > (SIZE_MAX - scratch_size) / sizeof(range))
        return TFLZ_ERROR_TOO_LARGE;
    info->output_size = c.output_size;
    info->workspace_size = info->n_ranges * sizeof(range) + scratch_size;
    return TFLZ_OK;
}

tflz_error tflz_inspect(const void *src, size_t src_size, size_t max_output_size, tflz_info *info)
{
    container c;
    tflz_info found;
    tflz_error error = open_container(src, src_size, max_output_size, &c);
    if (error == TFLZ_OK)
        error = read_directory(c, NULL, &found);
    if (error == TFLZ_OK)
        *info = found;
    return error;
}

tflz_error tflz_decode(ZSTD_DCtx *zstd, void *dst, size_t dst_size, const void *src, size_t src_size, void *workspace,
                       size_t workspace_size)
{
    container c;
    tflz_info info;
    job j = {zstd, NULL, workspace, workspace_size};
    tflz_error error = open_container(src, src_size, dst_size, &c);
    if (error == TFLZ_OK)
        error = read_directory(c, &j, &info);
    if (error == TFLZ_OK && (zstd == NULL || info.workspace_size > workspace_size))
        error = TFLZ_ERROR_WORKSPACE;
    j.output = dst;
    if (error == TFLZ_OK)
        error = read_directory(c, &j, &info);
    if (error == TFLZ_OK && xxh64(dst, info.output_size) != c.output_hash)
        error = TFLZ_ERROR_CHECKSUM;
    return error;
}
