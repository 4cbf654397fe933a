// Each forwarded query has a socket, an id and so a port of its own: an answer must come from the
// resolver to that port, with that id and that question.
#include "net/dns/server.h"

#include "base/text.h"
#include "net/address.h"

namespace keelson::net::dns {
namespace {

constexpr std::size_t kStreamAnswerMax = 65'535;
constexpr std::size_t kStreamBufferedMax = 1024 * 1024;
constexpr std::size_t kDatagramAnswerMax = 1232;
const Duration kStreamIdle = Duration::seconds(10);

std::string with_id(std::string bytes, std::uint16_t id) {
  bytes[0] = static_cast<char>(id >> 8);
  bytes[1] = static_cast<char>(id);
  return bytes;
}

std::string framed(const std::string& bytes) {
  std::string out;
  out.push_back(static_cast<char>(bytes.size() >> 8));
  out.push_back(static_cast<char>(bytes.size()));
  return out + bytes;
}

}  // namespace

struct Server::Forward {
  std::string query;
  std::uint16_t id = 0;
  std::size_t resolver = 0;
  std::unique_ptr<host::DatagramSocket> socket;
  std::shared_ptr<void> timer;
  std::function<void(std::optional<std::string>)> done;
};

struct Server::Connection {
  std::unique_ptr<host::Stream> stream;
  std::string input;
  std::shared_ptr<void> timer;
};

Server::Server(host::Loop& loop, host::Sockets& sockets, host::Datagrams& datagrams, Prng& rng,
               const Directory& directory, ServerOptions options)
    : loop_(loop),
      sockets_(sockets),
      datagrams_(datagrams),
      rng_(rng),
      directory_(directory),
      options_(std::move(options)) {}

Server::~Server() = default;

Result<int> Server::listen(const std::string& address, int port) {
  const std::size_t index = udp_.size();
  TRY(auto udp, datagrams_.bind(
                    address, port, [this, index](std::string_view bytes, host::DatagramPeer from) {
                      handle(bytes, false,
                             [this, index, from,
                              alive = std::weak_ptr<bool>(alive_)](const std::string& answer) {
                               if (!alive.expired()) udp_[index]->send(answer, from);
                             });
                    }));
  const int bound = udp->port();
  TRY(auto tcp, sockets_.listen(address, bound, [this](std::unique_ptr<host::Stream> stream) {
    accept(std::move(stream));
  }));
  udp_.push_back(std::move(udp));
  tcp_.push_back(std::move(tcp));
  return bound;
}

void Server::handle(std::string_view bytes, bool stream, Respond respond) {
  Received received = parse_query(bytes);
  if (received.refusal) return respond(encode_refusal(received.head, *received.refusal));
  if (!received.query) return;
  ++counts_.queries;
  const Query& query = *received.query;
  const std::size_t size_max =
      stream ? kStreamAnswerMax : std::min(query.payload_max, kDatagramAnswerMax);
  if (query.edns_version_unknown) return respond(encode_answer(query, {}, size_max));
  Verdict verdict = answer_question(directory_, options_.zone, query.question);
  if (verdict.answer && verdict.chase.empty())
    return respond(encode_answer(query, *verdict.answer, size_max));
  if (verdict.answer)
    return chase(query, std::move(*verdict.answer), verdict.chase, size_max, std::move(respond));
  forward(std::string(bytes), 0,
          [this, query, size_max, respond = std::move(respond)](std::optional<std::string> answer) {
            if (answer && answer->size() <= size_max)
              return respond(with_id(std::move(*answer), query.id));
            if (answer) {
              // More than this asker takes: it asks again over TCP.
              const std::string cut = encode_answer(query, {.authoritative = false}, size_max);
              std::string truncated = cut;
              truncated[2] = static_cast<char>(truncated[2] | 2);
              return respond(truncated);
            }
            ++counts_.failed;
            respond(encode_answer(query, {.code = Code::server_failure, .authoritative = false},
                                  size_max));
          });
}

void Server::chase(const Query& query, Answer answer, const std::string& name, std::size_t size_max,
                   Respond respond) {
  const Type type = query.question.type;
  forward(encode_query(0, name, type), 0,
          [query, answer = std::move(answer), size_max, type,
           respond = std::move(respond)](std::optional<std::string> bytes) mutable {
            const auto response = bytes ? parse_response(*bytes) : std::nullopt;
            if (!response) answer.code = Code::server_failure;
            if (response)
              for (const Record& record : response->answers)
                if (record.type == type || record.type == Type::cname)
                  answer.answers.push_back(record);
            respond(encode_answer(query, answer, size_max));
          });
}

void Server::forward(std::string query, std::size_t resolver,
                     std::function<void(std::optional<std::string>)> done) {
  if (forwards_.size() >= options_.forwarded_max || options_.resolvers.empty())
    return done(std::nullopt);
  ++counts_.forwarded;
  const std::uint64_t number = ++made_;
  auto made = std::make_unique<Forward>();
  made->query = std::move(query);
  made->resolver = resolver;
  made->done = std::move(done);
  forwards_[number] = std::move(made);
  next_resolver(number);
}

void Server::next_resolver(std::uint64_t number) {
  Forward& forward = *forwards_[number];
  if (forward.resolver >= options_.resolvers.size()) return finish(number, std::nullopt);
  const host::DatagramPeer resolver = options_.resolvers[forward.resolver++];
  forward.id = static_cast<std::uint16_t>(rng_.below(65'536));
  auto socket = datagrams_.bind(
      "0.0.0.0", 0, [this, number, resolver](std::string_view bytes, host::DatagramPeer from) {
        const auto at = forwards_.find(number);
        if (at == forwards_.end() || from != resolver) return;
        const auto response = parse_response(bytes);
        const Received asked = parse_query(at->second->query);
        if (!response || response->id != at->second->id || !asked.query ||
            response->question.name != asked.query->question.name ||
            response->question.type != asked.query->question.type)
          return;
        // One that cannot answer is no reason not to ask the next.
        if (response->code == Code::server_failure || response->code == Code::refused)
          return next_resolver(number);
        finish(number, std::string(bytes));
      });
  if (!socket.ok()) return finish(number, std::nullopt);
  forward.socket = std::move(*socket);
  forward.socket->send(with_id(forward.query, forward.id), resolver);
  forward.timer = loop_.call_at(loop_.now() + options_.resolver_timeout,
                                [this, number] { next_resolver(number); });
}

void Server::finish(std::uint64_t number, std::optional<std::string> bytes) {
  auto node = forwards_.extract(number);
  if (!node.empty()) node.mapped()->done(std::move(bytes));
}

void Server::accept(std::unique_ptr<host::Stream> stream) {
  if (connections_.size() >= options_.connections_max) return;
  const std::uint64_t number = ++made_;
  auto connection = std::make_shared<Connection>();
  connection->stream = std::move(stream);
  connections_[number] = connection;
  const auto drop = [this, number] { connections_.erase(number); };
  const auto rest = [this, drop, weak = std::weak_ptr<Connection>(connection)] {
    if (const auto c = weak.lock()) c->timer = loop_.call_at(loop_.now() + kStreamIdle, drop);
  };
  rest();
  connection->stream->start({.on_data =
                                 [this, rest, drop, weak = std::weak_ptr<Connection>(connection)](
                                     std::string_view bytes) {
                                   const auto c = weak.lock();
                                   if (!c) return;
                                   c->input += bytes;
                                   rest();
                                   while (c->input.size() >= 2) {
                                     const std::size_t length =
                                         static_cast<unsigned char>(c->input[0]) << 8 |
                                         static_cast<unsigned char>(c->input[1]);
                                     if (c->input.size() < 2 + length) break;
                                     const std::string query = c->input.substr(2, length);
                                     c->input.erase(0, 2 + length);
                                     handle(query, true, [weak](const std::string& answer) {
                                       if (const auto still = weak.lock())
                                         still->stream->write(framed(answer));
                                     });
                                   }
                                   if (c->stream->buffered() > kStreamBufferedMax)
                                     drop();  // it does not read
                                 },
                             .on_end = drop,
                             .on_drained = {}});
}

std::vector<host::DatagramPeer> resolvers_of(std::string_view resolv_conf,
                                             std::uint32_t own_address) {
  std::vector<host::DatagramPeer> out;
  for (const std::string& line : split(resolv_conf, '\n')) {
    const std::string_view text = trim(line);
    if (!text.starts_with("nameserver")) continue;
    const auto address = parse_address(trim(text.substr(10)));
    if (address && *address != own_address) out.push_back({*address, 53});
  }
  return out;
}

}  // namespace keelson::net::dns
