// Protobuf: what decodes must encode and decode to the same again.
#include "codec/json.h"
#include "codec/protobuf.h"
#include "fuzz.h"
#include "model/scheme.h"

namespace keelson::fuzz {
namespace {

const model::TypeTable& types() {
  static const model::TypeTable table;
  return table;
}

void protobuf(std::string_view input) {
  std::string_view message = input;
  if (codec::is_protobuf(input)) {
    const auto envelope = codec::open_protobuf(input);
    if (!envelope.ok()) return;
    message = envelope->raw;
  }
  for (std::string_view name :
       {"pods", "deployments.apps", "events", "services", "horizontalpodautoscalers.autoscaling"}) {
    const codec::Type& type = *types().storage(name)->type;
    const auto read = codec::from_protobuf(type, message);
    if (!read.ok()) continue;
    const std::string bytes = codec::to_protobuf(type, *read);
    const auto again = codec::from_protobuf(type, bytes);
    expect(again.ok(), "a message that was written reads again");
    expect(codec::to_protobuf(type, *again) == bytes, "and is written the same");
  }
}

}  // namespace

std::vector<Target> protobuf_targets() {
  using namespace std::string_view_literals;
  return {{"protobuf",
           protobuf,
           {"k8s\0"sv, "\x0a\x00"sv, "\x0a\x80\x01"sv, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv,
            "\x0b"sv, "\x12\x04"sv, "\x1a\x02\x08\x01"sv}}};
}

}  // namespace keelson::fuzz
