// Headers, the words of status codes, and bodies made of pieces or compressed on the way.
#include "api/http/http.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/text.h"

namespace keelson::api {

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [key, value] : fields_)
    if (key == name) return value;
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const auto& f) { return f.first == name; });
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : fields_)
    if (key == name) values.push_back(value);
  return values;
}

void Headers::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::add_first(std::string name, std::string value) {
  fields_.emplace(fields_.begin(), std::move(name), std::move(value));
}

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(fields_, [&](const auto& f) { return f.first == name; });
  fields_.emplace_back(std::string(name), std::move(value));
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const std::string_view value : all(name))
    for (const std::string& part : split(value, ','))
      if (to_lower(trim(part)) == to_lower(token)) return true;
  return false;
}

std::string_view reason_phrase(int code) {
  switch (code) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Request Entity Too Large";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "Unknown";
  }
}

namespace {

class PieceBody final : public Body {
 public:
  explicit PieceBody(std::function<bool(std::string&)> next) : next_(std::move(next)) {}
  State read(std::string& out, std::size_t want) override {
    const std::size_t start = out.size();
    while (out.size() - start < want)
      if (!next_(out)) return State::finished;
    return State::more;
  }

 private:
  std::function<bool(std::string&)> next_;
};

class Deflater {
 public:
  explicit Deflater(int level) {
    constexpr int gzip_window = 15 + 16;
    KEELSON_CHECK(deflateInit2(&stream_, level, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) ==
                  Z_OK);
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void add(std::string_view text, int flush, std::string& out) {
    std::array<char, 32 * 1024> buffer;  // NOLINT: written before read
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream_.avail_out = static_cast<uInt>(buffer.size());
      const int code = deflate(&stream_, flush);
      KEELSON_CHECK(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR);
      out.append(buffer.data(), buffer.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_ = {};
};

class GzipBody final : public Body {
 public:
  GzipBody(std::unique_ptr<Body> body, int level) : body_(std::move(body)), deflater_(level) {
    body_->set_wake([this] { wake(); });
  }
  State read(std::string& out, std::size_t want) override {
    // What compresses well may give nothing for a while: who is told that there is more must get
    // some of it, for nobody wakes them.
    const std::size_t start = out.size();
    for (;;) {
      plain_.clear();
      const State state = body_->read(plain_, want);
      const int flush = state == State::finished  ? Z_FINISH
                        : state == State::waiting ? Z_SYNC_FLUSH
                                                  : Z_NO_FLUSH;
      if (state != State::aborted && (flush != Z_NO_FLUSH || !plain_.empty()))
        deflater_.add(plain_, flush, out);
      if (state != State::more || out.size() > start) return state;
    }
  }

 private:
  std::unique_ptr<Body> body_;
  Deflater deflater_;
  std::string plain_;
};

}  // namespace

std::unique_ptr<Body> make_piece_body(std::function<bool(std::string&)> next) {
  return std::make_unique<PieceBody>(std::move(next));
}

std::unique_ptr<Body> make_gzip_body(std::unique_ptr<Body> body, int level) {
  return std::make_unique<GzipBody>(std::move(body), level);
}

std::string gzip(std::string_view text, int level) {
  std::string out;
  Deflater(level).add(text, Z_FINISH, out);
  return out;
}

std::string gunzip(std::string_view packed) {
  constexpr int gzip_window = 15 + 16;
  z_stream stream = {};
  KEELSON_CHECK(inflateInit2(&stream, gzip_window) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  std::array<char, 32 * 1024> buffer;  // NOLINT: written before read
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer.data(), buffer.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  KEELSON_CHECK(code == Z_STREAM_END);
  return out;
}

}  // namespace keelson::api
