#include "sim/golden/differences.h"

#include "codec/json.h"

namespace keelson::sim::golden {

using codec::Value;

void differences(const std::string& path, const Value& want, const Value& got, std::size_t most,
                 std::vector<std::string>& out) {
  if (want == got || out.size() >= most) return;
  if (want.is_object() && got.is_object()) {
    for (const codec::Member& m : want.members())
      differences(path + "." + std::string(m.key()), m.value, got[m.key()], most, out);
    for (const codec::Member& m : got.members())
      if (!want.has(m.key()))
        differences(path + "." + std::string(m.key()), Value(), m.value, most, out);
    return;
  }
  out.push_back(path + ": want " + codec::to_json(want) + ", got " + codec::to_json(got));
}

}  // namespace keelson::sim::golden
