#include "app/golden/api_player.h"

#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "app/golden/normalise.h"
#include "app/golden/raw_http.h"
#include "app/golden/wire.h"
#include "base/text.h"
#include "codec/json.h"

namespace keelson::app {
namespace {

using codec::Value;
using Clock = std::chrono::steady_clock;
using Variables = std::map<std::string, std::string>;

constexpr std::string_view kReview = "application/json";

std::string sha1_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha1(), nullptr);
  return to_hex({reinterpret_cast<const char*>(hash.data()), size});
}

std::string unzipped(std::string_view bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return {};
  std::string out, buffer(64 * 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer.data(), buffer.size() - stream.avail_out);
    if (stream.avail_in == 0 && stream.avail_out != 0) break;
  }
  inflateEnd(&stream);
  return out;
}

// An answer's body as a value: JSON, protobuf, text, or base64; null if empty.
Value parsed_body(const std::string& body) {
  if (body.empty()) return {};
  const std::string bytes = body.substr(0, 2) == "\x1f\x8b" ? unzipped(body) : body;
  if (bytes.size() >= 4 && bytes.substr(0, 3) == "k8s" && bytes[3] == '\0')
    return Value::object({{"protobuf", read_wire(std::string_view(bytes).substr(4))}});
  if (auto json = codec::parse_json(bytes); json.ok()) return *json;
  std::string quoted;
  codec::append_json_string(quoted, bytes);
  const auto text = codec::parse_json(quoted);
  if (text.ok() && text->as_string() == bytes) return *text;
  return Value::object({{"base64", to_base64(bytes)}});
}

// The part of an earlier answer that "${3:metadata.uid}" names.
const Value* dig(const Value& value, std::string_view path) {
  const Value* here = &value;
  for (const std::string& part : split(path, '.')) {
    if (part.empty()) continue;
    if (here->is_array()) {
      const auto index = parse_int(part);
      if (!index || *index < 0 || static_cast<std::size_t>(*index) >= here->size()) return nullptr;
      here = &(*here)[static_cast<std::size_t>(*index)];
    } else if ((here = here->find(part)) == nullptr) {
      return nullptr;
    }
  }
  return here;
}

// A copy of `base` with operations [pointer, value] and [pointer] done in order.
OrderedJson patched(OrderedJson base, const OrderedJson& operations) {
  const auto decoded = [](std::string part) {
    for (const auto& [from, to] : {std::pair("~1", "/"), std::pair("~0", "~")})
      for (std::size_t at = 0; (at = part.find(from, at)) != std::string::npos; ++at)
        part.replace(at, 2, to);
    return part;
  };
  for (const OrderedJson& operation : operations.elements) {
    const bool removes = operation.elements.size() < 2;
    const std::vector<std::string> parts = split(operation.elements[0].text, '/');
    if (parts.size() < 2) {
      base = operation.elements[1];
      continue;
    }
    OrderedJson* holder = &base;
    for (std::size_t i = 1; i + 1 < parts.size() && holder != nullptr; ++i) {
      const std::string part = decoded(parts[i]);
      if (holder->kind != OrderedJson::Kind::array) {
        holder = holder->find(part);
        continue;
      }
      const auto index = static_cast<std::size_t>(parse_int(part).value_or(INT64_MAX));
      holder = index < holder->elements.size() ? &holder->elements[index] : nullptr;
    }
    if (holder == nullptr) continue;
    const std::string last = decoded(parts.back());
    if (holder->kind == OrderedJson::Kind::array) {
      const auto index = static_cast<std::size_t>(parse_int(last).value_or(INT64_MAX));
      if (!removes && last == "-")
        holder->elements.push_back(operation.elements[1]);
      else if (index < holder->elements.size() && removes)
        holder->elements.erase(holder->elements.begin() + static_cast<std::ptrdiff_t>(index));
      else if (index < holder->elements.size())
        holder->elements[index] = operation.elements[1];
    } else if (removes) {
      std::erase_if(holder->members, [&](const auto& member) { return member.first == last; });
    } else if (OrderedJson* known = holder->find(last)) {
      *known = operation.elements[1];
    } else {
      holder->kind = OrderedJson::Kind::object;
      holder->members.emplace_back(last, operation.elements[1]);
    }
  }
  return base;
}

std::vector<Value> frames_of(std::string_view body) {
  std::vector<Value> frames;
  while (true) {
    const std::size_t end = body.find('\n');
    if (end == std::string_view::npos) return frames;
    const std::string_view line = trim(body.substr(0, end));
    body.remove_prefix(end + 1);
    if (line.empty()) continue;
    auto frame = codec::parse_json(line);
    frames.push_back(frame.ok() ? *frame : Value(line));
  }
}

Value kept_headers(const Headers& headers, Normaliser& normaliser) {
  Value out = Value::object();
  for (const auto& [name, value] : headers) {
    constexpr std::array<std::string_view, 7> kept = {
        "content-type", "content-encoding", "warning",    "allow",
        "location",     "www-authenticate", "retry-after"};
    if (std::find(kept.begin(), kept.end(), name) == kept.end()) continue;
    const Value text(normaliser.text(value));
    const Value known = out[name];
    if (known.is_null())
      out.set(name, text);
    else if (known.is_array())
      out.edit(name).push_back(text);
    else
      out.set(name, Value::array({known, text}));
  }
  return out;
}

// One sequence on one connection.
class Runner {
 public:
  Runner(RawHttp& http, const OrderedJson& sequence, const Variables& variables,
         const std::string& tag)
      : http_(http),
        sequence_(sequence),
        variables_(variables),
        digest_(sha1_hex(sequence["name"].text + tag).substr(0, 8)),
        ns_("gn-" + digest_),
        id_("gi" + digest_),
        normaliser_(ns_, id_, variables) {}

  std::vector<PlayResult> run() {
    std::vector<PlayResult> results;
    const bool namespaced =
        sequence_.find("namespace") == nullptr || sequence_["namespace"].boolean();
    if (namespaced) set_up();
    const auto& steps = sequence_["steps"].elements;
    for (std::size_t i = 0; i < steps.size(); ++i) results.push_back(played(steps[i], i));
    tear_down(namespaced);
    return results;
  }

 private:
  PlayResult played(const OrderedJson& step, std::size_t index) {
    const std::string name = sequence_["name"].text;
    PlayResult result{.category = name.substr(0, name.find('/')),
                      .name = name + " step " + std::to_string(index) + ' ' +
                              (step.find("method") != nullptr ? step["method"].text : "WATCH") +
                              ' ' + step["path"].text};
    problem_.clear();
    const Value got = answer(step);
    const Value want = step["answer"].value();
    std::vector<std::string> lines = {problem_};
    if (problem_.empty()) lines = differences(want, identifiers_.labelled(want, got));
    result.passed = lines.empty();
    if (lines.size() > 6) lines.resize(6);
    result.difference = join(lines, "\n");
    return result;
  }

  void call(std::string_view method, const std::string& path, const Value& body = {}) {
    (void)http_.request({.method = std::string(method),
                         .path = path,
                         .headers = {{"Content-Type", std::string(kReview)}},
                         .has_body = !body.is_null(),
                         .body = body.is_null() ? "" : codec::to_json(body)});
  }

  void set_up() {
    const Value labels = filled(sequence_["namespaceLabels"]).value();
    Value metadata = Value::object({{"name", ns_}, {"labels", labels}});
    if (labels.is_null()) metadata.set("labels", Value::object());
    call("POST", "/api/v1/namespaces", Value::object({{"metadata", metadata}}));
    call("POST", "/api/v1/namespaces/" + ns_ + "/serviceaccounts",
         Value::object({{"metadata", Value::object({{"name", "default"}})}}));
  }

  void tear_down(bool namespaced) {
    for (const OrderedJson& path : sequence_["cleanup"].elements) call("DELETE", text(path.text));
    if (!namespaced) return;
    call("DELETE", "/api/v1/namespaces/" + ns_);
    call("PUT", "/api/v1/namespaces/" + ns_ + "/finalize",
         Value::object({{"apiVersion", "v1"},
                        {"kind", "Namespace"},
                        {"metadata", Value::object({{"name", ns_}})},
                        {"spec", Value::object({{"finalizers", Value::array()}})}}));
  }

  // The text of the part that a reference names, for use within a text.
  static std::string plain(const Value& value) {
    if (value.is_string()) return value.str();
    if (value.is_null()) return "None";
    if (value.is_bool()) return value.as_bool() ? "True" : "False";
    return codec::to_json(value);
  }

  const Value* reference(std::string_view inside) {
    const std::size_t colon = inside.find(':');
    const auto step = parse_int(inside.substr(0, colon));
    if (colon == std::string_view::npos || !step || *step < 0) return nullptr;
    const Value* found = static_cast<std::size_t>(*step) < raw_.size()
                             ? dig(raw_[static_cast<std::size_t>(*step)], inside.substr(colon + 1))
                             : nullptr;
    static const Value nothing;
    if (found != nullptr) return found;
    problem_ = "an earlier answer has no " + std::string(inside);
    return &nothing;
  }

  // The text with everything in ${} filled in; what is no variable stays.
  std::string text(std::string_view original) {
    std::string out;
    std::size_t at = 0;
    while (true) {
      const std::size_t start = original.find("${", at);
      const std::size_t end = start == std::string_view::npos ? start : original.find('}', start);
      if (end == std::string_view::npos) return out.append(original.substr(at));
      out.append(original.substr(at, start - at));
      const std::string inside(original.substr(start + 2, end - start - 2));
      const auto variable = variables_.find(inside);
      if (inside == "ns")
        out += ns_;
      else if (inside == "id")
        out += id_;
      else if (variable != variables_.end())
        out += variable->second;
      else if (const Value* found = reference(inside))
        out += plain(*found);
      else
        out += "${" + inside + '}';
      at = end + 1;
    }
  }

  OrderedJson filled(const OrderedJson& json) {
    OrderedJson out = json;
    if (json.kind == OrderedJson::Kind::text) {
      const std::string& whole = json.text;
      if (whole.substr(0, 2) == "${" && whole.find('}') == whole.size() - 1)
        if (const Value* found = reference(std::string_view(whole).substr(2, whole.size() - 3)))
          return OrderedJson::of(*found);
      out.text = text(whole);
    }
    for (OrderedJson& element : out.elements) element = filled(element);
    for (auto& [key, member] : out.members) {
      key = text(key);
      member = filled(member);
    }
    return out;
  }

  RawRequest request_of(const OrderedJson& step) {
    RawRequest request{.method = step.find("method") != nullptr ? step["method"].text : "GET",
                       .path = encoded_path(text(step["path"].text)),
                       .bare = step["bare"].boolean()};
    bool typed = false;
    for (const auto& [name, value] : step["headers"].members) {
      typed = typed || name == "Content-Type";
      if (value.kind == OrderedJson::Kind::array) {
        for (const OrderedJson& each : value.elements)
          request.headers.emplace_back(text(name), text(each.text));
      } else {
        request.headers.emplace_back(text(name), text(value.text));
      }
    }
    bool json = false;
    if (const OrderedJson* body = step.find("body")) {
      request.body = filled(*body).dump();
      json = true;
    } else if (const OrderedJson* base = step.find("base")) {
      const auto& bases = sequence_["bases"].elements;
      const auto index = static_cast<std::size_t>(base->integer());
      if (index < bases.size()) request.body = filled(patched(bases[index], step["patch"])).dump();
      json = true;
    } else if (const OrderedJson* body_text = step.find("bodyText")) {
      request.body = text(body_text->text);
    } else if (const OrderedJson* body_base64 = step.find("bodyBase64")) {
      request.body = from_base64(body_base64->text).value_or("");
    } else if (const OrderedJson* wire = step.find("bodyWire")) {
      request.body = std::string("k8s\0", 4) + write_wire(filled(*wire));
    } else {
      return request;
    }
    request.has_body = true;
    if (json && !typed) request.headers.emplace_back("Content-Type", std::string(kReview));
    if (const OrderedJson* pad = step.find("pad")) {
      const std::string letters(static_cast<std::size_t>(pad->integer()), 'x');
      for (std::size_t at; (at = request.body.find("${pad}")) != std::string::npos;)
        request.body.replace(at, 6, letters);
    }
    return request;
  }

  Value answer(const OrderedJson& step) {
    const RawRequest request = request_of(step);
    if (!problem_.empty()) {
      raw_.emplace_back();
      return {};
    }
    normaliser_.keep_times = step["times"].boolean();
    normaliser_.drop_descriptions = request.path.substr(0, 8) == "/openapi";
    const OrderedJson& watch = step["watch"];
    return watch.members.empty() && !watch.boolean() ? answer_once(step, request)
                                                     : answer_watch(step, request);
  }

  Value answer_watch(const OrderedJson& step, const RawRequest& request) {
    const auto wanted = static_cast<std::size_t>(step["watch"]["events"].integer());
    // More may have come together with the last one that was waited for.
    const std::size_t target =
        wanted == 0 ? 0 : std::max(wanted, step["answer"]["events"].elements.size());
    const Duration limit = Duration::milliseconds(
        static_cast<std::int64_t>(step["watch"]["seconds"].value().as_double(3) * 1000));
    const auto result = http_.read_until(request, limit, [&](std::string_view body) {
      return target != 0 &&
             static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n')) >= target;
    });
    if (!result.ok()) return no_answer(result.error());
    if (result->code != 200) {
      const Value body = parsed_body(result->body);
      raw_.push_back(body);
      return Value::object({{"status", result->code}, {"body", normaliser_.value(body)}});
    }
    std::vector<Value> frames = frames_of(result->body);
    if (target != 0 && frames.size() > target) frames.resize(target);
    raw_.push_back(Value(codec::Array(frames.begin(), frames.end())));
    if (step["compare"].text == "status") return Value::object({{"status", 200}});
    codec::Array events;
    for (const Value& frame : frames) events.push_back(normaliser_.value(frame));
    return Value::object({{"status", 200}, {"events", Value(std::move(events))}});
  }

  Value answer_once(const OrderedJson& step, const RawRequest& request) {
    const Value until = until_of(step);
    const auto end =
        Clock::now() +
        std::chrono::milliseconds(static_cast<std::int64_t>(until["seconds"].as_double(15) * 1000));
    while (true) {
      const auto result = http_.request(request);
      if (!result.ok()) return no_answer(result.error());
      const Value body = parsed_body(result->body);
      if (!met(until, result->code, body) && Clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        continue;
      }
      raw_.push_back(body);
      return compared(step, *result, body);
    }
  }

  Value until_of(const OrderedJson& step) {
    const OrderedJson& until = step["until"];
    if (until.kind == OrderedJson::Kind::object) return filled(until).value();
    return until.is_null() ? Value() : Value::object({{"status", until.value()}});
  }

  static bool met(const Value& until, int status, const Value& body) {
    if (until.has("status") && until["status"].as_int() != status) return false;
    if (!until.has("path")) return true;
    const Value* found = dig(body, until["path"].as_string());
    return found != nullptr && *found == until["equals"];
  }

  Value compared(const OrderedJson& step, const RawAnswer& result, Value body) {
    if (const OrderedJson* rules = step.find("keep")) body = kept(std::move(body), rules->value());
    if (const OrderedJson* names = step.find("digest"))
      body = digested(normaliser_.value(body), names->value());
    if (step["anyOrder"].boolean()) body = unordered(body);
    const OrderedJson& compare = step["compare"];
    if (compare.text == "status") return Value::object({{"status", result.code}});
    const bool parts = compare.kind == OrderedJson::Kind::array && result.code < 300;
    const Value headers = kept_headers(result.headers, normaliser_);
    Value out;
    if (parts) {
      out = Value::object();
      for (const OrderedJson& pointer : compare.elements)
        out.set(pointer.text, normaliser_.value(follow(body, pointer.text),
                                                pointer.text.substr(pointer.text.rfind('/') + 1)));
      // The parts as a whole are normalised once more, as the recordings were.
      out = normaliser_.value(out);
    } else {
      out = normaliser_.value(body);
    }
    return Value::object({{"status", result.code}, {"headers", headers}, {"body", out}});
  }

  Value no_answer(const Error& error) {
    problem_ = "no answer: " + error.message;
    raw_.emplace_back();
    return {};
  }

  RawHttp& http_;
  const OrderedJson& sequence_;
  const Variables& variables_;
  std::string digest_, ns_, id_;
  Normaliser normaliser_;
  Identifiers identifiers_;
  std::vector<Value> raw_;  // answers as they came
  std::string problem_;     // of the present step
};

std::vector<PlayResult> unplayed(const OrderedJson& sequence, const std::string& reason,
                                 bool skipped) {
  std::vector<PlayResult> results;
  const std::string name = sequence["name"].text;
  const auto& steps = sequence["steps"].elements;
  for (std::size_t i = 0; i < steps.size(); ++i)
    results.push_back({.category = name.substr(0, name.find('/')),
                       .name = name + " step " + std::to_string(i),
                       .passed = false,
                       .difference = reason,
                       .skipped = skipped});
  return results;
}

}  // namespace

bool ApiPlayer::recognises(const Value& file) {
  const Value& sequence = file.has("sequences") ? file["sequences"][0] : file;
  const Value& step = sequence["steps"][0];
  return sequence["name"].is_string() && step["path"].is_string() && step.has("answer");
}

void ApiPlayer::add(std::string_view text, std::string_view only) {
  auto file = OrderedJson::parse(text);
  if (!file.ok()) return;
  std::vector<OrderedJson> found;
  if (OrderedJson* sequences = file->find("sequences"))
    found = std::move(sequences->elements);
  else
    found.push_back(std::move(*file));
  for (OrderedJson& sequence : found)
    if (sequence["name"].text.substr(0, only.size()) == only)
      sequences_.push_back(std::move(sequence));
}

bool ApiPlayer::needs_webhook() const {
  return std::any_of(sequences_.begin(), sequences_.end(), [](const OrderedJson& sequence) {
    return sequence["needs"].text == "webhook";
  });
}

std::vector<PlayResult> ApiPlayer::run(const Endpoint& server, int jobs,
                                       const Variables& variables) const {
  std::vector<std::vector<PlayResult>> all(sequences_.size());
  const std::string tag = std::to_string(Clock::now().time_since_epoch().count());
  std::vector<std::size_t> together, alone;
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    const OrderedJson& needs = sequences_[i]["needs"];
    if (!needs.is_null() && variables.find(needs.text) == variables.end())
      all[i] = unplayed(sequences_[i], "needs a " + needs.text + " server", true);
    else
      (sequences_[i]["alone"].boolean() ? alone : together).push_back(i);
  }
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    RawHttp http(server);
    for (std::size_t i; (i = next++) < together.size();)
      all[together[i]] = Runner(http, sequences_[together[i]], variables, tag).run();
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < jobs; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  RawHttp http(server);
  for (const std::size_t i : alone) all[i] = Runner(http, sequences_[i], variables, tag).run();
  std::vector<PlayResult> results;
  for (auto& each : all)
    results.insert(results.end(), std::make_move_iterator(each.begin()),
                   std::make_move_iterator(each.end()));
  return results;
}

std::vector<PlayResult> ApiPlayer::failed(const std::string& reason) const {
  std::vector<PlayResult> results;
  for (const OrderedJson& sequence : sequences_)
    for (PlayResult& result : unplayed(sequence, reason, false))
      results.push_back(std::move(result));
  return results;
}

}  // namespace keelson::app
