// The pod that the measurements of the API and of the registry write.
#pragma once

#include <string>

namespace keelson::bench {

// 3 KB as sent and 4.45 KB as stored, with defaults and managedFields: 11,000 of them are a list of
// 49 MB.
inline std::string pod_text(const std::string& name, const std::string& mark) {
  const auto text = [](std::size_t size) {
    std::string out;
    while (out.size() < size) out += "the quick brown fox jumps over the lazy dog; ";
    return out.substr(0, size);
  };
  static const std::string note = text(1240), script = text(1200);
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
         R"(","labels":{"app":"bench","mark":")" + mark +
         R"("},"annotations":{"example.com/note":")" + note +
         R"("}},"spec":{"serviceAccountName":"default","automountServiceAccountToken":false,"containers":[{"name":"app",)"
         R"("image":"registry.example/shop/web:1.4.2","command":["sh","-c",")" +
         script +
         R"("],"env":[{"name":"LOG_LEVEL","value":"info"}],)"
         R"("resources":{"requests":{"cpu":"100m","memory":"128Mi"}}}]}})";
}

}  // namespace keelson::bench
