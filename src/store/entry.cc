#include "codec/json.h"
#include "store/store.h"

namespace keelson::store {

Entry::Entry(std::string_view key, std::string_view bytes, codec::Value value, Revision created,
             Revision modified)
    : key_size_(static_cast<std::uint32_t>(key.size())),
      parsed_(!value.is_null()),
      value_(std::move(value)),
      created_(created),
      modified_(modified) {
  text_.reserve(key.size() + bytes.size());
  text_.append(key).append(bytes);
}

const codec::Value& Entry::value() const {
  if (!parsed_) {
    parsed_ = true;
    if (auto parsed = codec::parse_json(bytes()); parsed.ok()) value_ = std::move(parsed).value();
  }
  return value_;
}

}  // namespace keelson::store
