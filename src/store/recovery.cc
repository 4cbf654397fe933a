// See recovery.h and the prose in format.h.
#include "store/recovery.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "store/format.h"

namespace keelson::store {

namespace {

constexpr std::string_view kWayOut =
    ". Nothing was changed; restore the data directory from a backup, or move it away to begin "
    "anew";

Error damaged(const std::string& path, std::uint64_t offset, const std::string& what) {
  return {Reason::internal_error, path + " is damaged at offset " + std::to_string(offset) + ": " +
                                      what + std::string(kWayOut)};
}

class Recovery {
 public:
  Recovery(host::Files& files, const Options& options, Instant now,
           std::shared_ptr<ParsedValues> values)
      : files_(files), options_(options), now_(now), values_(std::move(values)) {}

  Result<Recovered> run() {
    // What we see may still be on its way to the disk, if only the process was killed.
    TRY_VOID(files_.sync_directory(options_.directory));
    TRY(auto names, files_.list(options_.directory));
    std::vector<Revision> snapshots;
    std::vector<std::uint64_t> segments;
    for (const std::string& name : names) {
      if (auto revision = snapshot_revision(name)) snapshots.push_back(*revision);
      if (auto number = segment_number(name)) segments.push_back(*number);
      if (name.starts_with("spare-") || name == kPartialName || name == kNewestPartialName)
        TRY_VOID(files_.remove(path(name)));
    }
    std::sort(segments.begin(), segments.end());
    TRY(const std::uint64_t newest, read_newest());
    if (newest > (segments.empty() ? 0 : segments.back()))
      return Error{Reason::internal_error, path(segment_name(newest)) +
                                               " is missing, with what was acknowledged in it" +
                                               std::string(kWayOut)};
    if (!snapshots.empty())
      TRY_VOID(read_snapshot(*std::max_element(snapshots.begin(), snapshots.end())));
    out_.log.durable = out_.index.revision();
    for (std::uint64_t number : segments) TRY_VOID(read_segment(number));
    if (!segments.empty()) out_.log.next_number = segments.back() + 1;
    finish_tail();
    if (stale_) out_.log_bytes += std::uint64_t{1} << 60;  // a snapshot is due
    return std::move(out_);
  }

 private:
  std::string path(const std::string& name) const { return options_.directory + "/" + name; }

  Result<void> read_snapshot(Revision revision) {
    std::string name = path(snapshot_name(revision));
    TRY(auto file, files_.open(name, false));
    TRY(std::string head, file->read(0, kHeaderSize));
    auto header = decode_snapshot_header(head);
    if (!header || header->revision != revision) return damaged(name, 0, "no snapshot header");
    std::uint64_t at = kHeaderSize, entries = 0;
    for (;;) {
      TRY(std::string block_head, file->read(at, kBlockHeaderSize));
      if (block_head.size() < kBlockHeaderSize) return damaged(name, at, "the file ends early");
      BlockHeader block = decode_block_header(block_head);
      if (block.size > file->size() - at) return damaged(name, at, "a block is cut off");
      TRY(std::string rest, file->read(at + kBlockHeaderSize, block.size));
      if (block.entries == 0) {
        if (decode_last_block(block, rest) != entries) return damaged(name, at, "a wrong count");
        break;
      }
      auto decoded = decode_block(block, rest, values_);
      if (!decoded) return damaged(name, at, "a block does not match its checksum");
      for (EntryPtr& entry : *decoded) {
        TRY(EntryPtr plain, unsealed(std::move(entry)));
        out_.index.restore(std::move(plain));
      }
      entries += block.entries;
      at += kBlockHeaderSize + block.size;
    }
    out_.index.restore_revision(revision);
    return {};
  }

  // 0: it was never written.
  Result<std::uint64_t> read_newest() {
    const std::string name = path(std::string(kNewestName));
    if (!files_.exists(name)) return 0;
    TRY(const auto file, files_.open(name, false));
    TRY(const std::string text, file->read(0, file->size()));
    return static_cast<std::uint64_t>(parse_int(trim(text)).value_or(0));
  }

  Result<void> read_segment(std::uint64_t number) {
    std::string name = path(segment_name(number));
    TRY(auto file, files_.open(name, false));
    TRY(std::string bytes, file->read(0, file->size()));
    out_.log.segments.push_back({number, out_.index.revision()});
    out_.torn.clear();  // of an earlier one: what was missing there came again
    // It got its name after header and first batch were synced.
    const auto room = decode_segment_header(bytes, number);
    if (!room) return damaged(name, 0, "it has no header");
    if (bytes.size() < *room)
      return damaged(name, bytes.size(), "it ends here, of " + std::to_string(*room) + " bytes");
    std::size_t at = kHeaderSize;
    while (auto record = decode_record(std::string_view(bytes).substr(at))) {
      if (record->revision > out_.index.revision().next())
        return gap(name, at, number, record->revision);
      TRY_VOID(take(*record, std::string_view(bytes).substr(at, record->size)));
      at += record->size;
    }
    if (at == kHeaderSize) return damaged(name, at, "it has no record");
    out_.log.segments.back().last = out_.index.revision();
    out_.log_bytes += at;
    out_.index.compact(out_.index.compaction_wanted(now_, options_, out_.index.revision()));
    before_ = {name, number, at};
    return check_rest(name, bytes, at);
  }

  // The record there comes too early. If the segment before is at hand, it is that which ends too
  // early.
  Error gap(const std::string& name, std::size_t at, std::uint64_t number, Revision found) const {
    const std::string has = "the log has revisions up to " + out_.index.revision().text();
    if (at == kHeaderSize && before_.number != 0 && before_.number + 1 == number)
      return damaged(before_.name, before_.end,
                     has + ", and " + name + " goes on at " + found.text());
    return damaged(name, at, has + ", but here it goes on at " + found.text());
  }

  Result<std::string> plain(std::string_view key, std::string_view bytes) {
    bool stale = false;
    TRY(std::string text, options_.sealer->unseal(key, bytes, stale));
    stale_ = stale_ || stale;
    return text;
  }

  Result<EntryPtr> unsealed(EntryPtr entry) {
    if (!options_.sealer) return entry;
    TRY(const std::string bytes, plain(entry->key(), entry->bytes()));
    return make_entry(entry->key(), bytes, entry->created(), entry->modified(), {}, values_);
  }

  Result<void> take(const Record& record, std::string_view bytes) {
    Revision& durable = out_.log.durable;
    durable = std::max(durable, std::min(record.synced, out_.index.revision()));
    if (record.revision <= out_.index.revision()) return {};
    std::vector<EntryPtr> puts;
    std::vector<std::string> deletes;
    for (const Operation& operation : record.operations) {
      if (!operation.put) {
        deletes.emplace_back(operation.key);
        continue;
      }
      EntryPtr before = out_.index.get(operation.key);
      std::string_view kept = operation.bytes;
      std::string text;
      if (options_.sealer) {
        TRY(text, plain(operation.key, kept));
        kept = text;
      }
      puts.push_back(make_entry(operation.key, kept, before ? before->created() : record.revision,
                                record.revision, {}, values_));
    }
    out_.index.apply(record.revision, record.time, std::move(puts), deletes);
    std::erase_if(tail_, [&](const auto& kept) { return kept.first <= durable; });
    tail_.emplace_back(record.revision, bytes);
    return {};
  }

  // Behind the end there may be torn remains of the last batch, but nothing that says that what is
  // missing here was durable once.
  Result<void> check_rest(const std::string& name, std::string_view bytes, std::size_t end) {
    Revision missing = out_.index.revision().next();
    for (std::size_t at = end; at + kRecordHeaderSize <= bytes.size(); at += 8) {
      if (bytes[at] == '\0') continue;
      out_.torn = name;
      auto record = decode_record(bytes.substr(at));
      if (record && record->synced >= missing)
        return damaged(name, end, "revision " + missing.text() + " was acknowledged");
    }
    return {};
  }

  void finish_tail() {
    for (const auto& [revision, bytes] : tail_) {
      if (revision <= out_.log.durable) continue;
      out_.log.tail += bytes;
      out_.log.tail_last = revision;
    }
  }

  host::Files& files_;
  const Options& options_;
  Instant now_;
  std::shared_ptr<ParsedValues> values_;
  Recovered out_;
  bool stale_ = false;
  struct {
    std::string name;
    std::uint64_t number = 0;
    std::size_t end = 0;
  } before_;                                            // the segment read last
  std::vector<std::pair<Revision, std::string>> tail_;  // records not known to be durable
};

}  // namespace

Result<Recovered> recover(host::Files& files, const Options& options, Instant now,
                          std::shared_ptr<ParsedValues> values) {
  return Recovery(files, options, now, std::move(values)).run();
}

}  // namespace keelson::store
