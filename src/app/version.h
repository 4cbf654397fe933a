// The version of this program and of the API that it serves.
#pragma once

namespace keelson::app {

inline constexpr const char* kVersion = "0.1.0";
inline constexpr const char* kKubernetesVersion = "v1.36.1";

}  // namespace keelson::app
