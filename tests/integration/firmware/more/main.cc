// As main.c does, of the model for C++, whose size is known when this is compiled.
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "../sha256.h"
#include "gestures_model_data.h"

static_assert(sizeof(g_gestures) == g_gestures_size, "another size");

int main() {
  if (reinterpret_cast<std::uintptr_t>(g_gestures) % 16 != 0) {
    std::puts("not aligned");
    return 1;
  }
  unsigned char digest[32];
  sha256(g_gestures, g_gestures_size, digest);
  if (std::memcmp(digest, g_gestures_sha256, sizeof(digest)) != 0) {
    std::puts("another hash");
    return 1;
  }
  for (unsigned char byte : digest) {
    std::printf("%02x", byte);
  }
  std::puts("");
}
