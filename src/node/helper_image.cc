// The bytes come from the build: KEELSON_HELPER_PATH names the executable.
#include "node/helper_image.h"

asm(R"(
    .section .rodata
    .balign 16
    .global keelson_helper_begin
    .global keelson_helper_end
keelson_helper_begin:
    .incbin ")" KEELSON_HELPER_PATH R"("
keelson_helper_end:
    .previous
)");

extern "C" {
extern const char keelson_helper_begin;
extern const char keelson_helper_end;
}

namespace keelson::node {

std::string_view helper_image() {
  return {&keelson_helper_begin,
          static_cast<std::size_t>(&keelson_helper_end - &keelson_helper_begin)};
}

}  // namespace keelson::node
