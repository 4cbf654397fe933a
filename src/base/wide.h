// 128-bit integers, an extension of the compiler, under a name of our own.
#pragma once

namespace keelson {
__extension__ using Int128 = __int128;
}  // namespace keelson
