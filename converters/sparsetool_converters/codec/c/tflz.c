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
    CHECKSUM_SIZE = 4,
    MAX_UNIT = 1 << 16,   /* elements */
    MAX_REGION = 1 << 25, /* bytes of a region's ranges, and of its streams */
    MAX_STREAM_RATIO = 8, /* bytes of streams for each byte of ranges */
    MAX_WINDOW = 1 << 23, /* bytes */
    MAX_LIST = 256,       /* elements */
    BATCH = 256           /* units that are put into their places at a time */
};
#define MAX_PLACES 0x7FFFFFFFu
#define MAX_ROWS (1u << 20)

/* FORMAT, Region */
enum { ALL = 0, GAPS = 1, MASK = 2 };                 /* places */
enum { PLAIN = 0, PLANES = 1, TURNED = 2, LIST = 3 }; /* coding */
enum { VALUES = 0, INDICES = 1, SEGMENTS = 2 };       /* ranges */

#define TRY(call)                             \
    do {                                      \
        tflz_error error_ = (call);           \
        if (error_ != TFLZ_OK) return error_; \
    } while (0)

const char *tflz_error_name(tflz_error error)
{
    static const char *const names[] = {
        "ok", "not a .tflz container", "a container of an unknown version", "cut off, or followed by other bytes",
        "the output is larger than accepted", "the directory is damaged", "a frame is damaged",
        "the content of a frame contradicts the directory", "the checksum of the output differs",
        "too little workspace, or no zstd context"};
    return (size_t)error < sizeof names / sizeof *names ? names[error] : "an unknown error";
}

/* ---- Numbers in memory of any alignment ------------------------------------------------------------------------ */

static uint64_t get_little(const byte *from, unsigned size)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < size; i++)
        found |= (uint64_t)from[i] << (8 * i);
    return found;
}

/* The same for 8 bytes, one load where numbers are little-endian. */
static inline uint64_t get_64(const byte *from)
{
    const uint16_t one = 1;
    byte first;
    uint64_t found;
    memcpy(&first, &one, 1);
    memcpy(&found, from, 8);
    return first == 1 ? found : get_little(from, 8);
}

static inline void put_little(byte *to, size_t place, unsigned size, uint32_t value)
{
    to += place * size;
    for (unsigned i = 0; i < size; i++)
        to[i] = (byte)(value >> (8 * i));
}

/* ---- XXH64, seed 0 --------------------------------------------------------------------------------------------- */

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

#define TURN_LEFT(value, bits) ((value) << (bits) | (value) >> (64 - (bits)))

static inline uint64_t xxh64_round(uint64_t sum, uint64_t input)
{
    sum += input * P2;
    return TURN_LEFT(sum, 31) * P1;
}

typedef struct {
    uint64_t sums[4];
    size_t done; /* bytes, a multiple of 32 */
} xxh64_state;

static const xxh64_state xxh64_begin = {{P1 + P2, P2, 0, 0 - P1}, 0};

/* Goes on with data of which `size` bytes are there by now. */
static void xxh64_go_on(xxh64_state *state, const byte *data, size_t size)
{
    uint64_t a = state->sums[0], b = state->sums[1], c = state->sums[2], d = state->sums[3];
    size_t at = state->done;
    for (; size - at >= 32; at += 32) {
        a = xxh64_round(a, get_64(data + at));
        b = xxh64_round(b, get_64(data + at + 8));
        c = xxh64_round(c, get_64(data + at + 16));
        d = xxh64_round(d, get_64(data + at + 24));
    }
    *state = (xxh64_state){{a, b, c, d}, at};
}

static uint64_t xxh64_end(xxh64_state state, const byte *data, size_t size)
{
    xxh64_go_on(&state, data, size);
    uint64_t hash = P5;
    size_t at = state.done;
    if (size >= 32) {
        const uint64_t *sums = state.sums;
        hash = TURN_LEFT(sums[0], 1) + TURN_LEFT(sums[1], 7) + TURN_LEFT(sums[2], 12) + TURN_LEFT(sums[3], 18);
        for (unsigned i = 0; i < 4; i++)
            hash = (hash ^ xxh64_round(0, sums[i])) * P1 + P4;
    }
    hash += size;
    for (; size - at >= 8; at += 8) {
        hash ^= xxh64_round(0, get_64(data + at));
        hash = TURN_LEFT(hash, 27) * P1 + P4;
    }
    if (size - at >= 4) {
        hash ^= get_little(data + at, 4) * P1;
        hash = TURN_LEFT(hash, 23) * P2 + P3;
        at += 4;
    }
    for (; at < size; at++) {
        hash ^= data[at] * P5;
        hash = TURN_LEFT(hash, 11) * P1;
    }
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
    if (src_size >= HEADER_SIZE && get_little(src + 4, 4) != 1)
        return TFLZ_ERROR_VERSION;
    if (src_size < HEADER_SIZE + CHECKSUM_SIZE || get_little(src + 8, 8) != src_size)
        return TFLZ_ERROR_SIZE;
    if (get_little(src + 16, 8) > max_output_size)
        return TFLZ_ERROR_TOO_LARGE;
    c->output_size = (size_t)get_little(src + 16, 8);
    c->output_hash = get_little(src + 24, 8);
    size_t left = src_size - HEADER_SIZE - CHECKSUM_SIZE;
    size_t directory_size = (size_t)get_little(src + 32, 4);
    if (directory_size > left)
        return TFLZ_ERROR_DIRECTORY;
    const byte *checksum = src + HEADER_SIZE + directory_size;
    uint64_t hash = xxh64_end(xxh64_begin, src, HEADER_SIZE + directory_size);
    if ((hash & 0xFFFFFFFFu) != get_little(checksum, CHECKSUM_SIZE))
        return TFLZ_ERROR_DIRECTORY;
    c->directory = (reader){src + HEADER_SIZE, directory_size, 0};
    c->frames = (reader){checksum + CHECKSUM_SIZE, left - directory_size, 0};
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

#define IS_POWER_OF_TWO(value) (((value) & ((value) - 1)) == 0)

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
    s->frame_size = (size_t)number(&c->directory, 0, c->frames.left);
    if (c->directory.broken)
        return TFLZ_ERROR_DIRECTORY;
    s->frame = c->frames.at;
    c->frames.at += s->frame_size;
    c->frames.left -= s->frame_size;
    uint64_t size = s->frame_size > 0 ? content_size(s->frame, s->frame_size) : 0;
    if (s->frame_size > 0 && size == 0)
        return TFLZ_ERROR_FRAME;
    if (size < least || size > most)
        return TFLZ_ERROR_CONTENT;
    s->content_size = (size_t)size;
    return TFLZ_OK;
}

static tflz_error decode_frame(ZSTD_DCtx *zstd, const stream *s, byte *to)
{
    if (s->content_size == 0)
        return TFLZ_OK;
    int is_one = ZSTD_findFrameCompressedSize(s->frame, s->frame_size) == s->frame_size;
    if (!is_one || ZSTD_decompressDCtx(zstd, to, s->content_size, s->frame, s->frame_size) != s->content_size)
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
    stream values[8];
    size_t kept_elements, scratch_size;
    int is_in_place; /* values are sent in the order in which they stand in the output, and nothing is between them */
} region;

/* FORMAT, Region: the streams and the sizes of their contents. */
static tflz_error take_streams(container *c, region *r)
{
    uint64_t counts_size = (uint64_t)r->rows * r->count_size, mask_size = ((uint64_t)r->columns + 7) / 8;
    if (r->places == GAPS && r->rows > 1)
        TRY(take_stream(c, counts_size, counts_size, &r->counts));
    if (r->places == GAPS)
        TRY(take_stream(c, r->kept, r->kept > 0 ? MAX_REGION : 0, &r->gaps));
    if (r->places == MASK)
        TRY(take_stream(c, mask_size, mask_size, &r->mask));
    r->n_value_streams = r->coding == PLAIN ? 1 : r->coding == LIST ? 2 : r->element_size;
    for (unsigned i = 0; i < r->n_value_streams; i++) {
        uint64_t least = r->kept_elements, most = r->kept_elements;
        if (r->coding == PLAIN)
            least = most = (uint64_t)r->kept * r->unit_size;
        if (r->coding == LIST && i == 0) {
            least = r->kept > 0 ? r->element_size : 0;
            most = least * MAX_LIST;
        }
        TRY(take_stream(c, least, most, &r->values[i]));
    }
    return r->coding == LIST && r->values[0].content_size % r->element_size != 0 ? TFLZ_ERROR_CONTENT : TFLZ_OK;
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
    r->rows = (uint32_t)number(in, 1, r->places == GAPS ? MAX_ROWS : 1);
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
        if (r->columns % r->index_columns != 0 || !IS_POWER_OF_TWO(r->index_size) || !IS_POWER_OF_TWO(r->segment_size))
            return TFLZ_ERROR_DIRECTORY;
        lengths[VALUES] = (uint64_t)r->kept * r->unit_size;
        lengths[INDICES] = (uint64_t)r->kept * r->index_size;
        lengths[SEGMENTS] = (uint64_t)(units / r->index_columns) * r->segment_size;
    }
    uint64_t room = lengths[VALUES] + lengths[INDICES] + lengths[SEGMENTS];
    if (in->broken || !IS_POWER_OF_TWO(r->element_size) || room > MAX_REGION)
        return TFLZ_ERROR_DIRECTORY;
    for (unsigned i = 0; i < r->n_ranges; i++)
        r->range_length[i] = (size_t)lengths[i];
    r->kept_elements = (size_t)r->kept * unit;
    r->count_size = r->columns < 1u << 8 ? 1 : r->columns < 1u << 16 ? 2 : 4;
    TRY(take_streams(c, r));
    uint64_t places_size = (uint64_t)r->counts.content_size + r->gaps.content_size + r->mask.content_size;
    uint64_t values_size = 0;
    for (unsigned i = 0; i < r->n_value_streams; i++)
        values_size += r->values[i].content_size;
    if (places_size + values_size > MAX_REGION || places_size + values_size > room * MAX_STREAM_RATIO)
        return TFLZ_ERROR_CONTENT;
    if (r->coding == PLAIN)
        values_size = 0; /* they need not be put together */
    r->is_in_place = r->places == ALL || (r->is_encoded && r->rows == 1);
    if (!r->is_in_place)
        values_size += (uint64_t)r->kept * r->unit_size;
    if (r->rows > 1)
        places_size += (uint64_t)r->rows * 2 * sizeof(uint32_t);
    r->scratch_size = (size_t)(places_size + values_size);
    return TFLZ_OK;
}

/* ---- FORMAT, Values --------------------------------------------------------------------------------------------- */

/* Elements from planes, turned right by 0 or 1 bits: then each byte takes the lowest bit of the byte above as its
 * highest, and the top byte that of the bottom byte. */
static inline void join_planes(byte *restrict to, const byte *restrict planes, size_t n, unsigned turn,
                               unsigned size)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned b = 0; b < size; b++)
            to[i * size + b] = (byte)((planes[b * n + i] | (unsigned)planes[(b + 1) % size * n + i] << 8) >> turn);
}

static inline void look_up(byte *restrict to, const byte *restrict list, const byte *restrict choices, size_t n,
                           unsigned size)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * size, list + (size_t)choices[i] * size, size);
}

/* Calls an inline function with its size known, where that is worth it: it becomes a tight loop. */
#define WITH_SIZE(size, call, ...)       \
    switch (size) {                      \
    case 1: call(__VA_ARGS__, 1); break; \
    case 2: call(__VA_ARGS__, 2); break; \
    case 4: call(__VA_ARGS__, 4); break; \
    case 8: call(__VA_ARGS__, 8); break; \
    }

/* The values of all kept units, in the order in which they are sent. The scratch takes all streams but plain ones. */
static tflz_error decode_values(ZSTD_DCtx *zstd, const region *r, byte *to, byte *scratch)
{
    byte *content = r->coding == PLAIN ? to : scratch;
    for (unsigned i = 0; i < r->n_value_streams; i++) {
        TRY(decode_frame(zstd, &r->values[i], content));
        content += r->values[i].content_size;
    }
    size_t n = r->kept_elements;
    if (r->coding == PLANES) {
        WITH_SIZE(r->element_size, join_planes, to, scratch, n, 0)
    } else if (r->coding == TURNED) {
        WITH_SIZE(r->element_size, join_planes, to, scratch, n, 1)
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
        if (size == 16)
            scatter(to, s->values, columns, n, 16);
        else if (size > 8 || !IS_POWER_OF_TWO(size))
            scatter(to, s->values, columns, n, size);
        WITH_SIZE(size, scatter, to, s->values, columns, n)
    }
    if (s->values != NULL)
        s->values += n * size;
}

/* ---- FORMAT, Places --------------------------------------------------------------------------------------------- */

/* A mask; or all places, which are only told to an index. */
static tflz_error put_mask(const region *r, const byte *mask, sink *s)
{
    uint32_t columns[BATCH], left = r->kept;
    size_t n = 0;
    begin_row(s, 0, 0);
    for (uint32_t place = 0; place < r->columns; place += 8) {
        uint32_t here = r->columns - place < 8 ? r->columns - place : 8;
        unsigned bits = r->places == ALL ? 255u >> (8 - here) : mask[place / 8];
        if (bits >> here != 0)
            return TFLZ_ERROR_CONTENT;
        for (uint32_t i = 0; i < here; i++) { /* a place without its bit is overwritten by the next */
            columns[n] = place + i;
            n += bits >> i & 1;
        }
        if (n > BATCH - 8 || here < 8 || place + 8 == r->columns) {
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

/* The rows in ascending order of their counts, stable: by the low byte first, then by the next. Both arrays have an
 * item for each row; returns the one that the order is in. */
static uint32_t *sort_rows(const region *r, const byte *counts, uint32_t *array, uint32_t *other)
{
    for (unsigned plane = 0; plane < r->count_size; plane++) {
        const byte *key = counts + (size_t)plane * r->rows;
        uint32_t begins[257] = {0}, *sorted = other;
        for (uint32_t row = 0; row < r->rows; row++)
            begins[key[row] + 1]++;
        for (unsigned k = 0; k < 256; k++)
            begins[k + 1] += begins[k];
        for (uint32_t i = 0; i < r->rows; i++) {
            uint32_t row = plane == 0 ? i : array[i];
            sorted[begins[key[row]]++] = row;
        }
        other = array;
        array = sorted;
    }
    return array;
}

/* A row that keeps `n` units, the first of which has this rank. */
static tflz_error put_row(const byte **gaps, const byte *end, uint32_t row, uint32_t rank, uint32_t n, sink *s)
{
    uint32_t columns[BATCH], column = 0, most = s->r->columns;
    const byte *at = *gaps;
    begin_row(s, row, rank);
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
    *gaps = at;
    end_row(s);
    return TFLZ_OK;
}

static tflz_error put_gaps(const region *r, const byte *counts, const byte *gaps, uint32_t *scratch, sink *s)
{
    const byte *end = gaps + r->gaps.content_size;
    if (r->kept > 0 && end[-1] == 255)
        return TFLZ_ERROR_CONTENT;
    if (r->rows == 1) {
        TRY(put_row(&gaps, end, 0, 0, r->kept, s));
    } else {
        uint32_t *half = scratch + r->rows;
        uint32_t *order = sort_rows(r, counts, scratch, half), *ranks = order == scratch ? half : scratch;
        uint32_t rank = 0; /* counts are added up and checked on the way */
        for (uint32_t row = 0; row < r->rows; row++) {
            uint32_t count = count_of_row(r, counts, row);
            if (count > r->columns || count > r->kept - rank)
                return TFLZ_ERROR_CONTENT;
            ranks[row] = rank;
            rank += count;
        }
        if (rank != r->kept)
            return TFLZ_ERROR_CONTENT;
        for (uint32_t i = 0; i < r->rows; i++) {
            uint32_t row = order[i];
            TRY(put_row(&gaps, end, row, ranks[row], count_of_row(r, counts, row), s));
        }
    }
    return gaps == end ? TFLZ_OK : TFLZ_ERROR_CONTENT;
}

/* ---- A region, and the whole: FORMAT, How to decode -------------------------------------------------------------- */

static tflz_error decode_region(ZSTD_DCtx *zstd, const region *r, byte *const out[3], void *scratch)
{
    uint32_t *rows = scratch; /* two arrays with an item for each row, if they are more than one */
    byte *counts = (byte *)(r->rows > 1 ? rows + 2 * (size_t)r->rows : rows), *gaps = counts + r->counts.content_size;
    byte *mask = gaps + r->gaps.content_size, *values = mask + r->mask.content_size;
    byte *value_streams = r->is_in_place ? values : values + (size_t)r->kept * r->unit_size;
    TRY(decode_frame(zstd, &r->counts, counts));
    TRY(decode_frame(zstd, &r->gaps, gaps));
    TRY(decode_frame(zstd, &r->mask, mask));
    TRY(decode_values(zstd, r, r->is_in_place ? out[VALUES] : values, value_streams));
    if (!r->is_encoded && r->places == ALL)
        return TFLZ_OK;
    if (!r->is_encoded)
        memset(out[VALUES], 0, r->range_length[VALUES]);
    sink s = {r, {out[VALUES], out[INDICES], out[SEGMENTS]}, r->is_in_place ? NULL : values, 0, 0, 0, 0};
    return r->places == GAPS ? put_gaps(r, counts, gaps, rows, &s) : put_mask(r, mask, &s);
}

/* In the workspace, one for each range of the directory. */
typedef struct {
    size_t start, length;
    int is_used;
} range;

/* What there is to work with; scratch of regions comes right behind the ranges. */
typedef struct {
    ZSTD_DCtx *zstd; /* NULL if the container is only checked */
    byte *output;
    range *ranges;
    size_t ranges_size; /* bytes */
} job;

/* Takes the ranges that a region fills from those that are left, and tells where they are. */
static tflz_error take_ranges(const job *j, const region *r, byte *out[3])
{
    for (unsigned i = 0; i < r->n_ranges; i++) {
        range *found = &j->ranges[r->range[i]];
        if (found->is_used || found->length != r->range_length[i])
            return TFLZ_ERROR_DIRECTORY;
        found->is_used = 1;
        if (j->zstd != NULL)
            out[i] = j->output + found->start;
    }
    return TFLZ_OK;
}

/* Step 2: literal bytes come to the end of the output and go from there to between the ranges. */
static tflz_error decode_literals(const job *j, const stream *literal, size_t output_size, size_t n_ranges)
{
    if (literal->content_size == 0)
        return TFLZ_OK;
    size_t from = output_size - literal->content_size, at = 0;
    TRY(decode_frame(j->zstd, literal, j->output + from));
    for (size_t i = 0; i < n_ranges; i++) {
        const range *r = &j->ranges[i];
        memmove(j->output + at, j->output + from, r->start - at);
        from += r->start - at;
        at = r->start + r->length;
    }
    return TFLZ_OK; /* behind the last range they are where they belong */
}

/* Reads the directory and checks all that can be without decoding frames. With a job, ranges are looked up; if it has
 * a zstd context, everything is decoded, too. */
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
            j->ranges[i] = r;
    }
    int decodes = j != NULL && j->zstd != NULL;
    stream literal;
    TRY(take_stream(&c, c.output_size - filled, c.output_size - filled, &literal));
    if (decodes)
        TRY(decode_literals(j, &literal, c.output_size, info->n_ranges));
    xxh64_state hash = xxh64_begin;
    size_t unfilled = 0; /* the first range that is; all in front of it can be hashed, while it is in the cache */
    info->n_regions = (size_t)number(&c.directory, 0, info->n_ranges);
    for (size_t i = 0; i < info->n_regions; i++) {
        region r;
        byte *out[3] = {NULL, NULL, NULL};
        TRY(read_region(&c, info->n_ranges, &r));
        taken += r.n_ranges;
        scratch_size = r.scratch_size > scratch_size ? r.scratch_size : scratch_size;
        if (j != NULL)
            TRY(take_ranges(j, &r, out));
        if (decodes) {
            TRY(decode_region(j->zstd, &r, out, j->ranges + info->n_ranges));
            while (unfilled < info->n_ranges && j->ranges[unfilled].is_used)
                unfilled++;
            if (unfilled < info->n_ranges)
                xxh64_go_on(&hash, j->output, j->ranges[unfilled].start);
        }
    }
    if (c.directory.broken || c.directory.left > 0 || c.frames.left > 0 || taken != info->n_ranges)
        return TFLZ_ERROR_DIRECTORY;
    if (info->n_ranges > (SIZE_MAX - scratch_size) / sizeof(range))
        return TFLZ_ERROR_TOO_LARGE;
    info->output_size = c.output_size;
    info->workspace_size = info->n_ranges * sizeof(range) + scratch_size;
    return decodes && xxh64_end(hash, j->output, c.output_size) != c.output_hash ? TFLZ_ERROR_CHECKSUM : TFLZ_OK;
}

tflz_error tflz_inspect(const void *src, size_t src_size, size_t max_output_size, tflz_info *info)
{
    container c;
    tflz_info found;
    TRY(open_container(src, src_size, max_output_size, &c));
    TRY(read_directory(c, NULL, &found));
    *info = found;
    return TFLZ_OK;
}

tflz_error tflz_decode(ZSTD_DCtx *zstd, void *dst, size_t dst_size, const void *src, size_t src_size, void *workspace,
                       size_t workspace_size)
{
    container c;
    tflz_info info;
    job j = {NULL, dst, workspace, workspace_size};
    if (zstd == NULL || (uintptr_t)workspace % sizeof(size_t) != 0)
        return TFLZ_ERROR_WORKSPACE;
    TRY(open_container(src, src_size, dst_size, &c));
    TRY(read_directory(c, &j, &info));
    if (info.workspace_size > workspace_size)
        return TFLZ_ERROR_WORKSPACE;
    j.zstd = zstd;
    return read_directory(c, &j, &info);
}
