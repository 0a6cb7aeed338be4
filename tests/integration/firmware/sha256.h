/* SHA-256 as FIPS 180-4 has it. */
#ifndef FIRMWARE_SHA256_H
#define FIRMWARE_SHA256_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void sha256(const unsigned char *data, size_t size, unsigned char digest[32]);

#ifdef __cplusplus
}
#endif

#endif
