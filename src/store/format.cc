// See format.h, which describes the format. Decoding trusts nothing: every size is checked before
// it is used.
#include "store/format.h"

#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "store/checksum.h"

namespace keelson::store {

namespace {

constexpr std::uint32_t kRecordMagic = 0x4345524b;
constexpr std::string_view kSegmentMagic = "KEELLOG1";
constexpr std::string_view kSnapshotMagic = "KEELSNP1";
constexpr char kPut = 1, kDelete = 2;

template <typename T>
void put_number(std::string& out, T number) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i) & 0xff));
}

template <typename T>
void set_number(std::string& out, std::size_t at, T number) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out[at + i] = static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i) & 0xff);
}

template <typename T>
T get_number(std::string_view bytes, std::size_t at) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    number |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return static_cast<T>(number);
}

Revision get_revision(std::string_view bytes, std::size_t at) {
  return {get_number<std::int64_t>(bytes, at)};
}

std::string padded(std::string_view prefix, std::int64_t number, int digits,
                   std::string_view suffix) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*lld", digits, static_cast<long long>(number));
  return std::string(prefix) + text + std::string(suffix);
}

std::optional<std::int64_t> between(std::string_view name, std::string_view prefix,
                                    std::string_view suffix) {
  if (name.size() <= prefix.size() + suffix.size() || !name.starts_with(prefix) ||
      !name.ends_with(suffix))
    return std::nullopt;
  auto number = parse_int(name.substr(prefix.size(), name.size() - prefix.size() - suffix.size()));
  return number && *number > 0 ? number : std::nullopt;
}

void finish_header(std::string& header) {
  header.resize(kHeaderSize - 4, '\0');
  put_number(header, crc32c(header));
}

bool is_header(std::string_view bytes, std::string_view magic) {
  return bytes.size() >= kHeaderSize && bytes.starts_with(magic) &&
         get_number<std::uint32_t>(bytes, kHeaderSize - 4) ==
             crc32c(bytes.substr(0, kHeaderSize - 4));
}

std::string finish_block(std::uint32_t entries, std::string_view rest) {
  std::string block;
  put_number(block, entries);
  put_number(block, static_cast<std::uint32_t>(rest.size()));
  put_number(block, crc32c(rest));
  return block.append(rest);
}

void append_operation(std::string& out, char type, std::string_view key, std::string_view bytes) {
  out.push_back(type);
  put_number(out, static_cast<std::uint32_t>(key.size()));
  put_number(out, static_cast<std::uint32_t>(bytes.size()));
  out.append(key).append(bytes);
}

}  // namespace

std::string segment_name(std::uint64_t number) {
  return padded("segment-", static_cast<std::int64_t>(number), 10, ".log");
}
std::optional<std::uint64_t> segment_number(std::string_view name) {
  auto number = between(name, "segment-", ".log");
  return number ? std::optional(static_cast<std::uint64_t>(*number)) : std::nullopt;
}
std::string snapshot_name(Revision revision) {
  return padded("snapshot-", revision.number, 20, ".keel");
}
std::optional<Revision> snapshot_revision(std::string_view name) {
  auto number = between(name, "snapshot-", ".keel");
  return number ? std::optional(Revision{*number}) : std::nullopt;
}

std::string encode_segment_header(std::uint64_t number, std::uint64_t room) {
  std::string header(kSegmentMagic);
  put_number(header, number);
  put_number(header, room);
  finish_header(header);
  return header;
}

std::optional<std::uint64_t> decode_segment_header(std::string_view bytes, std::uint64_t number) {
  if (!is_header(bytes, kSegmentMagic) || get_number<std::uint64_t>(bytes, 8) != number)
    return std::nullopt;
  return get_number<std::uint64_t>(bytes, 16);
}

void append_record(std::string& out, Revision revision, Instant time,
                   const std::vector<EntryPtr>& puts, const std::vector<std::string>& deletes,
                   const Sealer* sealer) {
  KEELSON_CHECK(out.size() % 8 == 0);
  std::size_t start = out.size();
  put_number(out, kRecordMagic);
  put_number(out, std::uint32_t{0});
  put_number(out, std::uint32_t{0});
  put_number(out, static_cast<std::uint32_t>(puts.size() + deletes.size()));
  put_number(out, revision.number);
  put_number(out, std::int64_t{0});
  put_number(out, time.unix_nanoseconds());
  for (const EntryPtr& entry : puts) {
    const std::string_view key = entry->key(), bytes = entry->bytes();
    if (sealer == nullptr)
      append_operation(out, kPut, key, bytes);
    else
      append_operation(out, kPut, key, sealer->seal(key, bytes));
  }
  for (const std::string& key : deletes) append_operation(out, kDelete, key, {});
  std::size_t payload = out.size() - start - kRecordHeaderSize;
  KEELSON_CHECK(payload < UINT32_MAX);
  set_number(out, start + 8, static_cast<std::uint32_t>(payload));
  out.resize((out.size() + 7) / 8 * 8, '\0');
}

void seal_batch(std::string& batch, Revision synced) {
  for (std::size_t start = 0; start < batch.size();) {
    std::size_t payload = get_number<std::uint32_t>(batch, start + 8);
    set_number(batch, start + 24, synced.number);
    std::string_view covered = std::string_view(batch).substr(start + 8);
    set_number(batch, start + 4, crc32c(covered.substr(0, kRecordHeaderSize - 8 + payload)));
    start += (kRecordHeaderSize + payload + 7) / 8 * 8;
  }
}

std::optional<Record> decode_record(std::string_view bytes) {
  if (bytes.size() < kRecordHeaderSize || get_number<std::uint32_t>(bytes, 0) != kRecordMagic)
    return std::nullopt;
  std::size_t payload = get_number<std::uint32_t>(bytes, 8);
  if (payload > bytes.size() - kRecordHeaderSize) return std::nullopt;
  if (crc32c(bytes.substr(8, kRecordHeaderSize - 8 + payload)) !=
      get_number<std::uint32_t>(bytes, 4))
    return std::nullopt;
  Record record;
  record.revision = get_revision(bytes, 16);
  record.synced = get_revision(bytes, 24);
  record.time = Instant::unix_nanoseconds(get_number<std::int64_t>(bytes, 32));
  record.size = (kRecordHeaderSize + payload + 7) / 8 * 8;
  if (record.size > bytes.size()) return std::nullopt;
  std::string_view rest = bytes.substr(kRecordHeaderSize, payload);
  std::uint32_t count = get_number<std::uint32_t>(bytes, 12);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (rest.size() < 9 || (rest[0] != kPut && rest[0] != kDelete)) return std::nullopt;
    std::size_t key = get_number<std::uint32_t>(rest, 1);
    std::size_t size = get_number<std::uint32_t>(rest, 5);
    if (key > rest.size() - 9 || size > rest.size() - 9 - key) return std::nullopt;
    record.operations.push_back({rest[0] == kPut, rest.substr(9, key), rest.substr(9 + key, size)});
    rest.remove_prefix(9 + key + size);
  }
  if (!rest.empty()) return std::nullopt;
  return record;
}

std::string encode_snapshot_header(Revision revision, Instant time) {
  std::string header(kSnapshotMagic);
  put_number(header, revision.number);
  put_number(header, time.unix_nanoseconds());
  finish_header(header);
  return header;
}

std::optional<SnapshotHeader> decode_snapshot_header(std::string_view bytes) {
  if (!is_header(bytes, kSnapshotMagic)) return std::nullopt;
  return SnapshotHeader{get_revision(bytes, 8),
                        Instant::unix_nanoseconds(get_number<std::int64_t>(bytes, 16))};
}

std::string encode_block(const std::vector<EntryPtr>& entries, const Sealer* sealer) {
  std::string rest;
  std::size_t size = 0;
  for (const EntryPtr& entry : entries) size += 24 + entry->key().size() + entry->bytes().size();
  rest.reserve(size);
  std::string sealed;
  for (const EntryPtr& entry : entries) {
    std::string_view bytes = entry->bytes();
    if (sealer != nullptr) bytes = sealed = sealer->seal(entry->key(), bytes);
    put_number(rest, static_cast<std::uint32_t>(entry->key().size()));
    put_number(rest, static_cast<std::uint32_t>(bytes.size()));
    put_number(rest, entry->created().number);
    put_number(rest, entry->modified().number);
    rest.append(entry->key()).append(bytes);
  }
  return finish_block(static_cast<std::uint32_t>(entries.size()), rest);
}

std::string encode_last_block(std::uint64_t entries) {
  std::string rest;
  put_number(rest, entries);
  return finish_block(0, rest);
}

BlockHeader decode_block_header(std::string_view bytes) {
  return {get_number<std::uint32_t>(bytes, 0), get_number<std::uint32_t>(bytes, 4),
          get_number<std::uint32_t>(bytes, 8)};
}

std::optional<std::vector<EntryPtr>> decode_block(const BlockHeader& header, std::string_view rest,
                                                  const std::shared_ptr<ParsedValues>& values) {
  if (rest.size() != header.size || crc32c(rest) != header.checksum) return std::nullopt;
  std::vector<EntryPtr> entries;
  for (std::uint32_t i = 0; i < header.entries; ++i) {
    if (rest.size() < 24) return std::nullopt;
    std::size_t key = get_number<std::uint32_t>(rest, 0);
    std::size_t size = get_number<std::uint32_t>(rest, 4);
    if (key > rest.size() - 24 || size > rest.size() - 24 - key) return std::nullopt;
    entries.push_back(make_entry(rest.substr(24, key), rest.substr(24 + key, size),
                                 get_revision(rest, 8), get_revision(rest, 16), {}, values));
    rest.remove_prefix(24 + key + size);
  }
  if (!rest.empty()) return std::nullopt;
  return entries;
}

std::optional<std::uint64_t> decode_last_block(const BlockHeader& header, std::string_view rest) {
  if (rest.size() != 8 || header.entries != 0 || crc32c(rest) != header.checksum)
    return std::nullopt;
  return get_number<std::uint64_t>(rest, 0);
}

}  // namespace keelson::store
