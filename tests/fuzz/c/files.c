/* What fuzz_tflz.c does, for containers from stdin, each behind its size in 4 bytes; prints an error number for each. */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz_tflz.h"

int main(void)
{
    unsigned char head[4];
    while (fread(head, 1, 4, stdin) == 4) {
        size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        unsigned char *data = malloc(size > 0 ? size : 1);
        if (data == NULL || fread(data, 1, size, stdin) != size)
            return 1;
        printf("%d\n", (int)try_container(data, size));
        free(data);
    }
    return 0;
}
