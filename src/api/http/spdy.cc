// Frames have 8 bytes of head. Header blocks are compressed by one zlib stream for each direction,
// primed with a dictionary that the protocol fixes.
#include "api/http/spdy.h"

#include <zlib.h>

#include <array>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/text.h"

namespace keelson::api {
namespace {

constexpr std::size_t kFrameBytesMax = 1024 * 1024;
constexpr std::size_t kHeaderBytesMax = 64 * 1024;
constexpr std::size_t kStreamsMax = 1000;
constexpr std::size_t kDataBytes = 32 * 1024;

enum Type : unsigned {
  kSynStream = 1,
  kSynReply = 2,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kHeaders = 8,
  kWindowUpdate = 9,
};
constexpr unsigned kFin = 1;

// The protocol's dictionary: words with their lengths before them, then plain text.
std::string make_dictionary() {
  static constexpr std::string_view words =
      "options head post put delete trace accept accept-charset accept-encoding accept-language "
      "accept-ranges age allow authorization cache-control connection content-base "
      "content-encoding content-language content-length content-location content-md5 "
      "content-range content-type date etag expect expires from host if-match if-modified-since "
      "if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
      "proxy-authenticate proxy-authorization range referer retry-after server te trailer "
      "transfer-encoding upgrade user-agent vary via warning www-authenticate method get status "
      "200_OK version HTTP/1.1 url public set-cookie keep-alive origin";
  std::string dictionary;
  for (std::string word : split(words, ' ')) {
    if (word == "200_OK") word = "200 OK";
    dictionary += std::string(3, '\0') + static_cast<char>(word.size()) + word;
  }
  return dictionary +
         "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504"
         "505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad "
         "Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not "
         "Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
         "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, "
         "GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/"
         "xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-"
         "8charset=iso-8859-1,utf-,*,enq=0.";
}

const std::string& dictionary() {
  static const std::string text = make_dictionary();
  return text;
}

const Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<const Bytef*>(text.data());
}

std::uint32_t read32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void append32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

class Inflater {
 public:
  Inflater() { KEELSON_CHECK(inflateInit(&stream_) == Z_OK); }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  std::optional<std::string> take(std::string_view block) {
    std::string out;
    std::array<char, 4096> buffer;  // NOLINT: written before read
    stream_.next_in = const_cast<Bytef*>(bytes_of(block));
    stream_.avail_in = static_cast<uInt>(block.size());
    while (true) {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = static_cast<uInt>(buffer.size());
      int code = inflate(&stream_, Z_SYNC_FLUSH);
      if (code == Z_NEED_DICT) {
        code = inflateSetDictionary(&stream_, bytes_of(dictionary()),
                                    static_cast<uInt>(dictionary().size()));
        if (code != Z_OK) return std::nullopt;
        continue;
      }
      if (code != Z_OK && code != Z_BUF_ERROR) return std::nullopt;
      out.append(buffer.data(), buffer.size() - stream_.avail_out);
      if (out.size() > kHeaderBytesMax) return std::nullopt;
      if (stream_.avail_out != 0) return out;
    }
  }

 private:
  z_stream stream_ = {};
};

class HeaderDeflater {
 public:
  HeaderDeflater() {
    KEELSON_CHECK(deflateInit(&stream_, Z_BEST_SPEED) == Z_OK);
    deflateSetDictionary(&stream_, bytes_of(dictionary()), static_cast<uInt>(dictionary().size()));
  }
  ~HeaderDeflater() { deflateEnd(&stream_); }
  HeaderDeflater(const HeaderDeflater&) = delete;
  HeaderDeflater& operator=(const HeaderDeflater&) = delete;

  std::string make(std::string_view block) {
    std::string out(deflateBound(&stream_, block.size()) + 64, '\0');
    stream_.next_in = const_cast<Bytef*>(bytes_of(block));
    stream_.avail_in = static_cast<uInt>(block.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    KEELSON_CHECK(deflate(&stream_, Z_SYNC_FLUSH) == Z_OK && stream_.avail_in == 0);
    out.resize(out.size() - stream_.avail_out);
    return out;
  }

 private:
  z_stream stream_ = {};
};

std::optional<SpdySession::StreamHeaders> parse_headers(std::string_view block) {
  SpdySession::StreamHeaders headers;
  if (block.size() < 4) return std::nullopt;
  const std::uint32_t count = read32(block, 0);
  std::size_t at = 4;
  const auto text = [&]() -> std::optional<std::string> {
    if (block.size() - at < 4) return std::nullopt;
    const std::uint32_t length = read32(block, at);
    at += 4;
    if (block.size() - at < length) return std::nullopt;
    std::string value(block.substr(at, length));
    at += length;
    return value;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto name = text();
    const auto value = name ? text() : std::nullopt;
    if (!value) return std::nullopt;
    headers[to_lower(*name)] = *value;
  }
  return headers;
}

}  // namespace

struct SpdySession::State : std::enable_shared_from_this<State> {
  std::unique_ptr<host::Stream> stream;
  Events events;
  std::string in;
  Inflater inflater;
  HeaderDeflater deflater;
  std::set<std::uint32_t> receiving, sending;  // streams open in that direction
  bool closed = false;

  void on_bytes(std::string_view bytes) {
    const auto self = shared_from_this();
    in.append(bytes);
    std::size_t used = 0;
    while (!closed && in.size() - used >= 8) {
      const std::string_view head = std::string_view(in).substr(used, 8);
      const std::uint32_t word = read32(head, 0);
      const std::uint32_t length = read32(head, 4) & 0xffffffU;
      const unsigned flags = static_cast<unsigned char>(head[4]);
      if (length > kFrameBytesMax) return finish();
      if (in.size() - used < 8 + length) break;
      const std::string body = in.substr(used + 8, length);
      used += 8 + length;
      if ((word & 0x80000000U) == 0) {
        on_data(word, flags, body);
      } else if ((word >> 16 & 0x7fffU) == 3) {
        on_control(word & 0xffffU, flags, body);
      } else {
        return finish();
      }
    }
    in.erase(0, used);
  }

  void on_data(std::uint32_t id, unsigned flags, std::string_view body) {
    if (!receiving.contains(id)) return;
    if (!body.empty())
      if (const auto call = events.on_data) call(id, body);
    if ((flags & kFin) != 0) half_close(id);
  }

  void half_close(std::uint32_t id) {
    if (receiving.erase(id) == 0) return;
    if (const auto call = events.on_end) call(id);
  }

  void on_control(unsigned type, unsigned flags, std::string_view body) {
    switch (type) {
      case kSynStream: return on_syn_stream(flags, body);
      case kPing:
        if (body.size() == 4) write(kPing, 0, body);
        return;
      case kReset:
        if (body.size() < 4) return finish();
        sending.erase(read32(body, 0));
        return half_close(read32(body, 0));
      case kHeaders:
        // Nothing in them is used, but they are part of the compressed stream.
        if (body.size() < 4 || !inflater.take(body.substr(4))) return finish();
        if ((flags & kFin) != 0) half_close(read32(body, 0));
        return;
      case kGoAway:
      case kSettings:
      case kWindowUpdate:
      default: return;
    }
  }

  void on_syn_stream(unsigned flags, std::string_view body) {
    if (body.size() < 10) return finish();
    const std::uint32_t id = read32(body, 0) & 0x7fffffffU;
    const auto block = inflater.take(body.substr(10));
    const auto headers = block ? parse_headers(*block) : std::nullopt;
    if (!headers || id == 0 || receiving.contains(id)) return finish();
    if (receiving.size() >= kStreamsMax) return write_reset(id);
    receiving.insert(id);
    sending.insert(id);
    if (const auto call = events.on_stream) call(id, *headers);
    if ((flags & kFin) != 0) half_close(id);
  }

  void write(unsigned type, unsigned flags, std::string_view body) {
    if (closed) return;
    std::string out;
    append32(out, 0x80030000U | type);
    append32(out, flags << 24 | static_cast<std::uint32_t>(body.size()));
    out.append(body);
    stream->write(out);
  }

  void write_reset(std::uint32_t id) {
    constexpr std::uint32_t refused = 3;
    std::string body;
    append32(body, id);
    append32(body, refused);
    write(kReset, 0, body);
  }

  void write_data(std::uint32_t id, unsigned flags, std::string_view bytes) {
    if (closed || !sending.contains(id)) return;
    std::string out;
    append32(out, id);
    append32(out, flags << 24 | static_cast<std::uint32_t>(bytes.size()));
    out.append(bytes);
    stream->write(out);
    if ((flags & kFin) != 0) sending.erase(id);
  }

  void finish() {
    if (std::exchange(closed, true)) return;
    stream->shutdown_write();
    if (const auto call = std::exchange(events.on_close, {})) call();
    events = {};
  }
};

SpdySession::SpdySession(std::unique_ptr<host::Stream> stream) : state_(std::make_shared<State>()) {
  state_->stream = std::move(stream);
}

SpdySession::~SpdySession() {
  state_->events = {};
  state_->closed = true;
  state_->stream.reset();
}

void SpdySession::start(Events events) {
  const std::shared_ptr<State> state = state_;
  state->events = std::move(events);
  const std::weak_ptr<State> weak = state;
  state->stream->start({.on_data =
                            [weak](std::string_view bytes) {
                              const auto self = weak.lock();
                              if (self && !self->closed) self->on_bytes(bytes);
                            },
                        .on_end =
                            [weak] {
                              if (const auto self = weak.lock()) self->finish();
                            },
                        .on_drained =
                            [weak] {
                              const auto self = weak.lock();
                              if (!self || self->closed) return;
                              if (const auto call = self->events.on_drained) call();
                            }});
}

void SpdySession::accept(std::uint32_t id) {
  std::string block;
  append32(block, 0);  // no headers
  std::string body;
  append32(body, id);
  body += state_->deflater.make(block);
  state_->write(kSynReply, 0, body);
}

void SpdySession::reset(std::uint32_t id) {
  state_->receiving.erase(id);
  state_->sending.erase(id);
  state_->write_reset(id);
}

void SpdySession::send(std::uint32_t id, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kDataBytes);
    bytes.remove_prefix(piece.size());
    state_->write_data(id, 0, piece);
  }
}

void SpdySession::end(std::uint32_t id) {
  state_->write_data(id, kFin, {});
}

void SpdySession::close() {
  const std::shared_ptr<State> state = state_;
  state->finish();
}

std::size_t SpdySession::buffered() const {
  return state_->stream ? state_->stream->buffered() : 0;
}

void SpdySession::pause(bool paused) {
  if (state_->stream) state_->stream->pause(paused);
}

}  // namespace keelson::api
