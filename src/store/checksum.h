// CRC32C (Castagnoli), the checksum of everything the store writes.
#pragma once

#include <cstdint>
#include <string_view>

namespace keelson::store {

// Continues from `start`, the checksum of what came before; 0 begins.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t start = 0);

}  // namespace keelson::store
