// Protobuf: what decodes must encode and decode to the same again. And what the store finds on its
// disk: whatever it is, the store refuses it or opens, and then opens again with the same.
#include "codec/json.h"
#include "codec/protobuf.h"
#include "fuzz.h"
#include "host/virtual_files.h"
#include "host/virtual_loop.h"
#include "model/scheme.h"
#include "store/checksum.h"
#include "store/format.h"
#include "store/store.h"

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

// The first byte says whether a snapshot follows or a segment. Checksums are set right where a
// record seems to begin, or hardly anything would get past them.
void log(std::string_view input) {
  if (input.empty()) return;
  std::string bytes(input.substr(1));
  for (std::size_t at = bytes.find("KREC"); at != std::string::npos;
       at = bytes.find("KREC", at + 4)) {
    if (bytes.size() - at < store::kRecordHeaderSize) break;
    const auto size = static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + 8])) +
                      (static_cast<std::size_t>(static_cast<unsigned char>(bytes[at + 9])) << 8);
    if (size > bytes.size() - at - store::kRecordHeaderSize) continue;
    const std::uint32_t sum =
        store::crc32c(std::string_view(bytes).substr(at + 8, store::kRecordHeaderSize - 8 + size));
    for (std::size_t i = 0; i < 4; ++i) bytes[at + 4 + i] = static_cast<char>(sum >> (8 * i));
  }
  host::VirtualLoop loop;
  host::VirtualFiles files;
  const bool snapshot = input.front() == 's';
  const std::string name = snapshot ? store::snapshot_name({2}) : store::segment_name(1);
  const std::string head = snapshot ? store::encode_snapshot_header({2}, Instant::unix_seconds(1))
                                    : store::encode_segment_header(1, 0);
  {
    const auto file = files.open("data/" + name, true);
    expect(file.ok() && (*file)->append(head + bytes).ok(), "a file in memory can be written");
  }
  const store::Options options{.directory = "data", .segment_bytes = 1u << 12};
  const auto opened = store::Store::open(loop, files, options);
  if (!opened.ok()) {
    expect(opened.error().message.find(name) != std::string::npos, "a refusal names the file");
    return;
  }
  const store::Revision revision = (*opened)->revision();
  (void)(*opened)->commit({.puts = {{"k", "v"}}});
  loop.run_ready();
  expect((*opened)->durable().number == revision.number + 1, "a store that opened can be written");
}

}  // namespace

std::vector<Target> protobuf_targets() {
  using namespace std::string_view_literals;
  return {{"log",
           log,
           {"KREC\0\0\0\0\x0b\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv,
            "\1\1\0\0\0\1\0\0\0kv\0\0\0\0\0"sv, "\2\1\0\0\0\0\0\0\0k"sv, "\0\0\0\0"sv,
            "\1\0\0\0\x1a\0\0\0"sv, "\xff\xff\xff\xff"sv}},
          {"protobuf",
           protobuf,
           {"k8s\0"sv, "\x0a\x00"sv, "\x0a\x80\x01"sv, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv,
            "\x0b"sv, "\x12\x04"sv, "\x1a\x02\x08\x01"sv}}};
}

}  // namespace keelson::fuzz
