#ifndef FUZZ_TFLZ_H
#define FUZZ_TFLZ_H

#include "tflz.h"

/* Decodes a container in all ways; ends the process if the decoder breaks a promise. */
tflz_error try_container(const unsigned char *data, size_t size);

#endif
