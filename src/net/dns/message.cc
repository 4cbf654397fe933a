// Names are followed through at most as many pointers as a message can hold, each of which must
// point backwards, so that reading ends.
#include "net/dns/message.h"

#include <map>

#include "base/text.h"

namespace keelson::net::dns {
namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::uint16_t kResponse = 0x8000, kAuthoritative = 0x0400, kTruncated = 0x0200,
                        kRecursionDesired = 0x0100, kRecursionAvailable = 0x0080;
constexpr std::size_t kPayloadOurs = 1232;  // of the DNS flag day 2020

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::optional<std::uint16_t> number16() {
    if (bytes_.size() - at_ < 2) return std::nullopt;
    const auto value = static_cast<std::uint16_t>(byte(at_) << 8 | byte(at_ + 1));
    at_ += 2;
    return value;
  }
  std::optional<std::uint32_t> number32() {
    const auto high = number16();
    const auto low = number16();
    if (!high || !low) return std::nullopt;
    return std::uint32_t{*high} << 16 | *low;
  }
  // asked: the name's own bytes on the wire, only if it has no pointer.
  std::optional<std::string> name(std::string* asked = nullptr) {
    std::string out;
    std::size_t at = at_, end = 0, wire = 0;
    while (true) {
      if (at >= bytes_.size()) return std::nullopt;
      const unsigned length = byte(at);
      if (length >= 0xc0) {
        if (at + 1 >= bytes_.size()) return std::nullopt;
        const std::size_t to = (length & 0x3f) << 8 | byte(at + 1);
        if (to >= at) return std::nullopt;
        if (end == 0) end = at + 2;
        at = to;
        if (++wire > kNameBytesMax) return std::nullopt;
        continue;
      }
      if (length > 63 || at + 1 + length > bytes_.size()) return std::nullopt;
      wire += length + 1;
      if (wire > kNameBytesMax) return std::nullopt;
      if (length == 0) break;
      if (!out.empty()) out.push_back('.');
      for (const char c : bytes_.substr(at + 1, length)) {
        // A dot inside a label is no separator; no name of ours has one.
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        out.push_back(c == '.' ? '\x01' : lower);
      }
      at += length + 1;
    }
    if (asked != nullptr && end == 0) *asked = bytes_.substr(at_, at + 1 - at_);
    at_ = end != 0 ? end : at + 1;
    return out;
  }
  std::optional<std::string_view> take(std::size_t length) {
    if (bytes_.size() - at_ < length) return std::nullopt;
    const std::string_view part = bytes_.substr(at_, length);
    at_ += length;
    return part;
  }
  std::size_t position() const { return at_; }
  void move_to(std::size_t at) { at_ = at; }

 private:
  unsigned byte(std::size_t at) const { return static_cast<unsigned char>(bytes_[at]); }
  std::string_view bytes_;
  std::size_t at_ = 0;
};

class Writer {
 public:
  void number8(unsigned value) { out_.push_back(static_cast<char>(value)); }
  void number16(unsigned value) {
    number8(value >> 8 & 255);
    number8(value & 255);
  }
  void number32(std::uint32_t value) {
    number16(value >> 16);
    number16(value & 0xffff);
  }
  void raw(std::string_view bytes) { out_ += bytes; }
  // The suffixes of a name that was written can be pointed to.
  void remember(const std::string& name, std::size_t at) {
    std::size_t from = 0;
    while (from < name.size() && at < 0x3fff) {
      const std::string suffix = name.substr(from);
      known_.emplace(suffix, at);
      const std::size_t dot = suffix.find('.');
      if (dot == std::string::npos) break;
      from += dot + 1;
      at += dot + 1;
    }
  }
  void name(const std::string& text) {
    std::size_t from = 0;
    while (from < text.size()) {
      const std::string suffix = text.substr(from);
      if (const auto known = known_.find(suffix); known != known_.end()) {
        number16(static_cast<unsigned>(0xc000 | known->second));
        return;
      }
      if (out_.size() < 0x3fff) known_.emplace(suffix, out_.size());
      const std::string label = suffix.substr(0, suffix.find('.'));
      number8(static_cast<unsigned>(label.size() & 63));
      raw(std::string_view(label).substr(0, 63));
      from += label.size() + 1;
    }
    number8(0);
  }
  // The length of what follows is filled in by end().
  std::size_t begin() {
    number16(0);
    return out_.size();
  }
  void end(std::size_t begun) {
    const std::size_t length = out_.size() - begun;
    set16(begun - 2, static_cast<unsigned>(length));
  }
  void set16(std::size_t at, unsigned value) {
    out_[at] = static_cast<char>(value >> 8);
    out_[at + 1] = static_cast<char>(value);
  }
  std::size_t size() const { return out_.size(); }
  void cut(std::size_t size) { out_.resize(size); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
  std::map<std::string, std::size_t> known_;
};

void write_record(Writer& out, const Record& record) {
  out.name(record.name);
  out.number16(static_cast<unsigned>(record.type));
  out.number16(1);
  out.number32(record.ttl);
  const std::size_t data = out.begin();
  switch (record.type) {
    case Type::a:
    case Type::aaaa: out.raw(record.bytes); break;
    case Type::txt:
      out.number8(static_cast<unsigned>(record.bytes.size() & 255));
      out.raw(std::string_view(record.bytes).substr(0, 255));
      break;
    case Type::srv: {
      out.number16(record.priority);
      out.number16(record.weight);
      out.number16(record.port);
      // Not compressed (RFC 2782).
      for (const std::string& label : split(record.target, '.')) {
        out.number8(static_cast<unsigned>(label.size() & 63));
        out.raw(std::string_view(label).substr(0, 63));
      }
      out.number8(0);
      break;
    }
    case Type::soa:
      out.name(record.target);
      out.name("hostmaster." + record.name);
      out.number32(record.serial);
      out.number32(7200);
      out.number32(1800);
      out.number32(86400);
      out.number32(record.negative_ttl);
      break;
    default: out.name(record.target);
  }
  out.end(data);
}

void write_option(Writer& out, const Query& query) {
  out.number8(0);
  out.number16(static_cast<unsigned>(Type::opt));
  out.number16(kPayloadOurs);
  out.number8(query.edns_version_unknown ? 1 : 0);  // BADVERS is 16: the upper bits of the code
  out.number8(0);
  out.number16(0);
  out.number16(0);
}

// Questions, then the rest, of which only the option matters. False: malformed.
bool read_rest(Reader& reader, Query& query, unsigned records) {
  for (unsigned i = 0; i < records; ++i) {
    const auto name = reader.name();
    const auto type = reader.number16(), class_ = reader.number16();
    const auto ttl = reader.number32();
    const auto length = reader.number16();
    if (!name || !type || !class_ || !ttl || !length || !reader.take(*length)) return false;
    if (*type != static_cast<std::uint16_t>(Type::opt)) continue;
    query.edns = true;
    query.payload_max = std::max<std::size_t>(512, *class_);
    query.edns_version_unknown = (*ttl >> 16 & 255) != 0;
  }
  return true;
}

}  // namespace

Record address_record(std::string name, std::uint32_t ttl, std::uint32_t address) {
  Record record{std::move(name), Type::a, ttl};
  for (int shift = 24; shift >= 0; shift -= 8)
    record.bytes.push_back(static_cast<char>(address >> shift));
  return record;
}

Received parse_query(std::string_view bytes) {
  Received out;
  Reader reader(bytes);
  const auto id = reader.number16(), flags = reader.number16(), questions = reader.number16(),
             answers = reader.number16(), authority = reader.number16(),
             additional = reader.number16();
  if (!id || !flags || !questions || !answers || !authority || !additional) return out;
  if (*flags & kResponse) return out;
  out.head.id = *id;
  out.head.recursion_desired = (*flags & kRecursionDesired) != 0;
  if ((*flags >> 11 & 15) != 0) {
    out.refusal = Code::not_implemented;
    return out;
  }
  out.refusal = Code::format_error;
  if (*questions != 1) return out;
  Query query = out.head;
  const auto name = reader.name(&query.question.asked);
  const auto type = reader.number16(), class_ = reader.number16();
  if (!name || !type || !class_ || query.question.asked.empty()) return out;
  query.question.name = *name;
  query.question.type = static_cast<Type>(*type);
  query.question.class_ = *class_;
  if (!read_rest(reader, query, unsigned{*answers} + *authority + *additional)) return out;
  out.refusal.reset();
  out.query = std::move(query);
  return out;
}

std::string encode_answer(const Query& query, const Answer& answer, std::size_t size_max) {
  Writer out;
  unsigned flags = kResponse | kRecursionAvailable | static_cast<unsigned>(answer.code);
  if (answer.authoritative) flags |= kAuthoritative;
  if (query.recursion_desired) flags |= kRecursionDesired;
  out.number16(query.id);
  out.number16(flags);
  out.number16(1);
  for (int i = 0; i < 3; ++i) out.number16(0);
  out.remember(query.question.name, out.size());
  out.raw(query.question.asked);
  out.number16(static_cast<unsigned>(query.question.type));
  out.number16(query.question.class_);
  const std::size_t head = out.size();
  const std::size_t option_bytes = query.edns ? 11 : 0;
  const std::vector<Record>* sections[] = {&answer.answers, &answer.authority, &answer.additional};
  unsigned additional = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    unsigned count = 0;
    for (const Record& record : *sections[i]) {
      const std::size_t before = out.size();
      write_record(out, record);
      if (out.size() + option_bytes <= size_max) {
        ++count;
        continue;
      }
      if (i == 2) {
        out.cut(before);
        break;
      }
      out.cut(head);
      out.set16(2, flags | kTruncated);
      out.set16(6, 0);
      out.set16(8, 0);
      if (query.edns) write_option(out, query);
      out.set16(10, query.edns ? 1 : 0);
      return out.take();
    }
    if (i == 2) additional = count;
    out.set16(6 + 2 * i, count);
  }
  if (query.edns) write_option(out, query);
  out.set16(10, additional + (query.edns ? 1 : 0));
  return out.take();
}

std::string encode_refusal(const Query& head, Code code) {
  Writer out;
  out.number16(head.id);
  out.number16(kResponse | (head.recursion_desired ? kRecursionDesired : 0) |
               static_cast<unsigned>(code));
  for (int i = 0; i < 4; ++i) out.number16(0);
  return out.take();
}

std::string encode_query(std::uint16_t id, const std::string& name, Type type) {
  Writer out;
  out.number16(id);
  out.number16(kRecursionDesired);
  out.number16(1);
  for (int i = 0; i < 3; ++i) out.number16(0);
  out.name(name);
  out.number16(static_cast<unsigned>(type));
  out.number16(1);
  return out.take();
}

std::optional<Response> parse_response(std::string_view bytes) {
  Reader reader(bytes);
  const auto id = reader.number16(), flags = reader.number16(), questions = reader.number16(),
             answers = reader.number16(), authority = reader.number16(),
             additional = reader.number16();
  if (!id || !flags || !questions || !answers || !authority || !additional) return std::nullopt;
  if ((*flags & kResponse) == 0 || *questions != 1) return std::nullopt;
  Response out;
  out.id = *id;
  out.code = static_cast<Code>(*flags & 15);
  out.truncated = (*flags & kTruncated) != 0;
  const auto name = reader.name();
  const auto type = reader.number16(), class_ = reader.number16();
  if (!name || !type || !class_) return std::nullopt;
  out.question = {*name, {}, static_cast<Type>(*type), *class_};
  for (unsigned i = 0; i < *answers; ++i) {
    const auto owner = reader.name();
    const auto kind = reader.number16(), record_class = reader.number16();
    const auto ttl = reader.number32();
    const auto length = reader.number16();
    if (!owner || !kind || !record_class || !ttl || !length) return std::nullopt;
    const std::size_t data = reader.position();
    Record record{*owner, static_cast<Type>(*kind), *ttl};
    if (record.type == Type::cname) {
      const auto target = reader.name();
      if (!target) return std::nullopt;
      record.target = *target;
      reader.move_to(data);
    }
    const auto content = reader.take(*length);
    if (!content) return std::nullopt;
    record.bytes = record.type == Type::cname ? "" : std::string(*content);
    const bool good = (record.type == Type::a && record.bytes.size() == 4) ||
                      (record.type == Type::aaaa && record.bytes.size() == 16) ||
                      record.type == Type::cname;
    if (good) out.answers.push_back(std::move(record));
  }
  return out;
}

}  // namespace keelson::net::dns
