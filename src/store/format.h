// The bytes on disk, as prose; the functions below write and read them. All numbers are
// little-endian.
//
// A data directory holds
//   lock                    held by the process that has the store open
//   segment-NNNNNNNNNN.log  the log, numbered from 1 without reuse; read in order of number
//   newest                  the highest number that a segment has had, as text: without it nothing
//                           tells that the last segment was removed; written after the segment
//   spare-N.log             room prepared for the next segment; renamed when it is needed
//   snapshot-R.keel         everything as of revision R (20 digits); snapshot.partial while written
//
// SEGMENT. 32 bytes of header: "KEELLOG1", its number (u64), the room that was reserved for it
// (u64), 4 zero bytes, CRC32C of the 28 bytes before. Then records, each beginning at a multiple of
// 8, then zeros to the end of the file (room is reserved ahead so that a sync writes no metadata).
//
// RECORD. One transaction:
//    0  u32  magic 0x4345524b ("KREC")
//    4  u32  CRC32C of everything from offset 8 to the end of the payload
//    8  u32  size of the payload
//   12  u32  number of operations
//   16  u64  revision
//   24  u64  synced: the highest revision known durable when this record was written
//   32  i64  time of the commit, in nanoseconds since 1970
//   40       payload: for each operation u8 type (1 put, 2 delete), u32 size of key, u32 size of
//            bytes, key, bytes; then zeros to a multiple of 8
// Revisions rise by one from record to record. A batch of records is appended and synced at once;
// only then are they acknowledged.
//
// MARK. A record without operations, of a revision that stands before it. One is appended and
// synced when nothing has been written for a second, and when the store is closed: `synced` in it
// says that the last batch was acknowledged, as a next batch would.
//
// RECOVERY. The first record of a segment that is not whole ends that segment. The next segment
// must go on at a revision no more than one higher; records of revisions already seen are skipped
// (after a failed write a batch is written again to a new segment). What ended a segment was a torn
// write if nothing proves otherwise. These prove damage to what was acknowledged, and then the
// store refuses to open: a gap in the revisions between segments; behind the end of a segment, a
// whole record whose `synced` reaches the missing revision; a segment without its header or its
// first record, for it gets its name after their sync; one that is shorter than its room; the
// absence of the segment that `newest` names. The tail above `synced` of the last record is written
// again to the new segment before it counts as durable: after a failed sync a kernel may show bytes
// that the disk never got. So what cannot be told from a torn write is only this: damage to the
// last batch in the second before its mark, or to batch and mark together.
//
// The bytes of an entry may be sealed (store.h, Sealer), in records and in snapshots; what they
// look like then is the sealer's affair. Keys never are.
//
// SNAPSHOT. 32 bytes of header: "KEELSNP1", revision (u64), time (i64), u32 zero, CRC32C of the 28
// bytes before. Then blocks of entries: u32 number of entries, u32 size of the rest, u32 CRC32C of
// the rest, then for each entry u32 size of key, u32 size of bytes, u64 created, u64 modified, key,
// bytes. A block with no entries, whose rest is the total number of entries (u64), ends the file.
// A snapshot is renamed into place after its sync, so one that is not whole is damage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace keelson::store {

inline constexpr std::size_t kHeaderSize = 32;
inline constexpr std::size_t kRecordHeaderSize = 40;
inline constexpr std::string_view kPartialName = "snapshot.partial";
inline constexpr std::string_view kNewestName = "newest", kNewestPartialName = "newest.new";

std::string segment_name(std::uint64_t number);
std::optional<std::uint64_t> segment_number(std::string_view name);
std::string snapshot_name(Revision revision);
std::optional<Revision> snapshot_revision(std::string_view name);

std::string encode_segment_header(std::uint64_t number, std::uint64_t room);
// The room that was reserved; nullopt: these bytes do not begin that segment.
std::optional<std::uint64_t> decode_segment_header(std::string_view bytes, std::uint64_t number);

// Appends one record, still without its mark and checksum.
void append_record(std::string& batch, Revision revision, Instant time,
                   const std::vector<EntryPtr>& puts, const std::vector<std::string>& deletes,
                   const Sealer* sealer = nullptr);
// Gives every record of the batch this mark and its checksum.
void seal_batch(std::string& batch, Revision synced);

struct Operation {
  bool put = false;
  std::string_view key, bytes;
};
struct Record {
  Revision revision, synced;
  Instant time;
  std::vector<Operation> operations;  // views into the bytes given
  std::size_t size = 0;               // with padding: the next record begins so much later
};
// The whole record that begins the bytes, or nullopt.
std::optional<Record> decode_record(std::string_view bytes);

std::string encode_snapshot_header(Revision revision, Instant time);
struct SnapshotHeader {
  Revision revision;
  Instant time;
};
std::optional<SnapshotHeader> decode_snapshot_header(std::string_view bytes);
std::string encode_block(const std::vector<EntryPtr>& entries, const Sealer* sealer = nullptr);
std::string encode_last_block(std::uint64_t entries);

inline constexpr std::size_t kBlockHeaderSize = 12;
struct BlockHeader {
  std::uint32_t entries, size, checksum;
};
BlockHeader decode_block_header(std::string_view bytes);  // kBlockHeaderSize bytes
// nullopt if the rest does not fit its header.
std::optional<std::vector<EntryPtr>> decode_block(const BlockHeader& header, std::string_view rest,
                                                  const std::shared_ptr<ParsedValues>& values);
std::optional<std::uint64_t> decode_last_block(const BlockHeader& header, std::string_view rest);

}  // namespace keelson::store
