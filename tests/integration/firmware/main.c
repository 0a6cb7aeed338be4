/* Says the SHA-256 of the model, once the array is known to be what its header promises. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "keywords_model_data.h"
#include "sha256.h"

int main(void)
{
    unsigned char digest[32];
    size_t i;

    if ((uintptr_t)g_keywords_model_data % 16 != 0) {
        puts("not aligned");
        return 1;
    }
    if (sizeof g_keywords_model_data != g_keywords_model_data_size) {
        puts("another size");
        return 1;
    }
    sha256(g_keywords_model_data, g_keywords_model_data_size, digest);
    if (memcmp(digest, g_keywords_model_data_sha256, sizeof digest) != 0) {
        puts("another hash");
        return 1;
    }
    for (i = 0; i < sizeof digest; i++) {
        printf("%02x", digest[i]);
    }
    puts("");
    return 0;
}
