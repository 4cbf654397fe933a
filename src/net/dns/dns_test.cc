// The codec against hostile bytes, the records against the specification, the server over real
// sockets on loopback.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "base/text.h"
#include "host/linux/datagrams.h"
#include "host/linux/linux_host.h"
#include "net/address.h"
#include "net/dns/records.h"
#include "net/dns/server.h"
#include "net/test_objects.h"

namespace keelson::net::dns {
namespace {

Directory shop() {
  Directory directory;
  for (const char* name : {"shop", "kube-system", "default"})
    directory.namespace_changed({},
                                json(std::string(R"({"metadata":{"name":")") + name + R"("}})"));
  directory.service_changed(
      {}, service("shop", "web", R"("clusterIP":"10.96.0.20","ports":[{"name":"http","port":80},
                                  {"name":"metrics","port":9090}])"));
  directory.slice_changed(
      {}, slice("shop", "web", R"([{"name":"http","port":8080}])", {{"10.244.0.9"}}));
  directory.service_changed(
      {}, service("shop", "db", R"("clusterIP":"None","ports":[{"name":"sql","port":5432}])"));
  directory.slice_changed(
      {}, slice("shop", "db", R"([{"name":"sql","protocol":"TCP","port":5432}])",
                {{"10.244.0.5", "db-0"}, {"10.244.0.6", "db-1"}, {"10.244.0.7", "", false}}));
  directory.service_changed(
      {}, service("shop", "out", R"("type":"ExternalName","externalName":"api.example.com")"));
  directory.service_changed(
      {}, service("shop", "same",
                  R"("type":"ExternalName","externalName":"web.shop.svc.cluster.local")"));
  directory.service_changed(
      {}, service("shop", "loop",
                  R"("type":"ExternalName","externalName":"loop.shop.svc.cluster.local")"));
  return directory;
}

std::string show(const Record& record) {
  switch (record.type) {
    case Type::a: {
      std::uint32_t address = 0;
      for (const char c : record.bytes) address = address << 8 | static_cast<unsigned char>(c);
      return record.name + " A " + address_text(address);
    }
    case Type::srv:
      return record.name + " SRV " + std::to_string(record.port) + " " + record.target;
    case Type::txt: return record.name + " TXT " + record.bytes;
    case Type::soa: return record.name + " SOA";
    case Type::ns: return record.name + " NS " + record.target;
    case Type::ptr: return record.name + " PTR " + record.target;
    case Type::cname: return record.name + " CNAME " + record.target;
    default: return record.name + " ?";
  }
}

// "A name; ..." of the answer, after the code if it is none of success; "upstream" if not ours.
std::string ask(const std::string& name, Type type = Type::a) {
  static const Directory directory = shop();
  const Zone zone{.dns_address = 0x0a60000a};
  const Verdict verdict = answer_question(directory, zone, {name, {}, type, 1});
  if (!verdict.answer) return "upstream";
  std::vector<std::string> parts;
  if (verdict.answer->code == Code::name_error) parts.push_back("NXDOMAIN");
  for (const Record& record : verdict.answer->answers) parts.push_back(show(record));
  for (const Record& record : verdict.answer->additional) parts.push_back("+" + show(record));
  if (!verdict.chase.empty()) parts.push_back("chase " + verdict.chase);
  return join(parts, "; ");
}

TEST(DnsRecords, FollowTheSpecification) {
  EXPECT_EQ(ask("web.shop.svc.cluster.local"), "web.shop.svc.cluster.local A 10.96.0.20");
  EXPECT_EQ(ask("web.shop.svc.cluster.local", Type::aaaa), "");
  EXPECT_EQ(ask("web.shop"), "upstream");
  EXPECT_EQ(ask("nothing.shop.svc.cluster.local"), "NXDOMAIN");
  EXPECT_EQ(ask("shop.svc.cluster.local"), "");
  EXPECT_EQ(ask("nowhere.svc.cluster.local"), "NXDOMAIN");
  EXPECT_EQ(ask("_http._tcp.web.shop.svc.cluster.local", Type::srv),
            "_http._tcp.web.shop.svc.cluster.local SRV 80 web.shop.svc.cluster.local; "
            "+web.shop.svc.cluster.local A 10.96.0.20");
  EXPECT_EQ(ask("_http._udp.web.shop.svc.cluster.local", Type::srv), "NXDOMAIN");
  EXPECT_EQ(ask("db.shop.svc.cluster.local"),
            "db.shop.svc.cluster.local A 10.244.0.5; db.shop.svc.cluster.local A 10.244.0.6");
  EXPECT_EQ(ask("db-1.db.shop.svc.cluster.local"), "db-1.db.shop.svc.cluster.local A 10.244.0.6");
  EXPECT_EQ(ask("db-2.db.shop.svc.cluster.local"), "NXDOMAIN");
  EXPECT_EQ(ask("_sql._tcp.db.shop.svc.cluster.local", Type::srv),
            "_sql._tcp.db.shop.svc.cluster.local SRV 5432 db-0.db.shop.svc.cluster.local; "
            "_sql._tcp.db.shop.svc.cluster.local SRV 5432 db-1.db.shop.svc.cluster.local; "
            "+db-0.db.shop.svc.cluster.local A 10.244.0.5; "
            "+db-1.db.shop.svc.cluster.local A 10.244.0.6");
  EXPECT_EQ(ask("out.shop.svc.cluster.local"),
            "out.shop.svc.cluster.local CNAME api.example.com; chase api.example.com");
  EXPECT_EQ(ask("same.shop.svc.cluster.local"),
            "same.shop.svc.cluster.local CNAME web.shop.svc.cluster.local; "
            "web.shop.svc.cluster.local A 10.96.0.20");
  EXPECT_NE(ask("loop.shop.svc.cluster.local"), "");  // ends
  EXPECT_EQ(ask("10-244-0-5.shop.pod.cluster.local"),
            "10-244-0-5.shop.pod.cluster.local A 10.244.0.5");
  EXPECT_EQ(ask("10-244-0-5.nowhere.pod.cluster.local"), "NXDOMAIN");
  EXPECT_EQ(ask("20.0.96.10.in-addr.arpa", Type::ptr),
            "20.0.96.10.in-addr.arpa PTR web.shop.svc.cluster.local");
  EXPECT_EQ(ask("6.0.244.10.in-addr.arpa", Type::ptr),
            "6.0.244.10.in-addr.arpa PTR db-1.db.shop.svc.cluster.local");
  EXPECT_EQ(ask("9.9.9.9.in-addr.arpa", Type::ptr), "upstream");
  EXPECT_EQ(ask("dns-version.cluster.local", Type::txt), "dns-version.cluster.local TXT 1.1.0");
  EXPECT_EQ(ask("cluster.local", Type::ns),
            "cluster.local NS ns.dns.cluster.local; +ns.dns.cluster.local A 10.96.0.10");
}

TEST(DnsMessage, RoundTripWithCompressionAndCase) {
  std::string wire = encode_query(77, "WeB.shop.svc.cluster.local", Type::a);
  const Received received = parse_query(wire);
  ASSERT_TRUE(received.query);
  EXPECT_EQ(received.query->question.name, "web.shop.svc.cluster.local");
  Answer answer;
  answer.answers.push_back(address_record("web.shop.svc.cluster.local", 5, 0x0a600014));
  const std::string bytes = encode_answer(*received.query, answer, 512);
  EXPECT_EQ(bytes.size(), wire.size() + 16);        // the name is a pointer
  EXPECT_NE(bytes.find("WeB"), std::string::npos);  // as it was asked
  const auto response = parse_response(bytes);
  ASSERT_TRUE(response);
  EXPECT_EQ(response->id, 77);
  ASSERT_EQ(response->answers.size(), 1u);
  EXPECT_EQ(show(response->answers[0]), "web.shop.svc.cluster.local A 10.96.0.20");
}

TEST(DnsMessage, TooBigIsCutAndSaysSo) {
  const Received received = parse_query(encode_query(1, "db.shop.svc.cluster.local", Type::a));
  Answer answer;
  for (std::uint32_t i = 0; i < 100; ++i)
    answer.answers.push_back(address_record("db.shop.svc.cluster.local", 5, i));
  const std::string cut = encode_answer(*received.query, answer, 512);
  EXPECT_LE(cut.size(), 512u);
  EXPECT_TRUE(parse_response(cut)->truncated);
  EXPECT_FALSE(parse_response(encode_answer(*received.query, answer, 65535))->truncated);
}

TEST(DnsMessage, HostileBytesEndInAVerdict) {
  Prng rng(42);
  std::vector<std::string> seeds = {encode_query(1, "a.b.c", Type::a)};
  const Received received = parse_query(seeds[0]);
  Answer answer;
  answer.answers.push_back(address_record("a.b.c", 1, 1));
  answer.answers.push_back(Record{.name = "a.b.c", .type = Type::cname, .target = "x.b.c"});
  seeds.push_back(encode_answer(*received.query, answer, 512));
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes = seeds[rng.below(seeds.size())];
    for (std::uint64_t n = rng.below(6); n > 0; --n)
      bytes[rng.below(bytes.size())] =
          static_cast<char>(rng.below(4) == 0 ? 0xc0 | rng.below(2) : rng.below(256));
    bytes.resize(rng.below(bytes.size() + 1));
    const Received parsed = parse_query(bytes);
    if (parsed.query) (void)encode_answer(*parsed.query, answer, 512);
    (void)parse_response(bytes);
  }
  std::string itself = encode_query(1, "", Type::a);
  itself[12] = '\xc0';
  itself.insert(13, "\x0c");
  EXPECT_EQ(parse_query(itself).refusal, Code::format_error);
}

class DnsServer : public ::testing::Test {
 protected:
  // Asks over UDP and gives the response; empty after two seconds.
  std::string exchange(int port, const std::string& query) {
    std::string got;
    auto socket = datagrams->bind("127.0.0.1", 0, [&](std::string_view bytes, host::DatagramPeer) {
      got = bytes;
      loop.stop();
    });
    (*socket)->send(query, {0x7f000001, static_cast<std::uint16_t>(port)});
    auto limit = loop.call_at(loop.now() + Duration::seconds(2), [&] { loop.stop(); });
    loop.run();
    return got;
  }
  host::LinuxLoop loop;
  std::unique_ptr<host::Sockets> sockets = host::make_linux_sockets(loop);
  std::unique_ptr<host::Datagrams> datagrams = host::make_linux_datagrams(loop);
  Prng rng{1};
  Directory directory = shop();
};

TEST_F(DnsServer, AnswersForwardsAndFails) {
  Server upstream(loop, *sockets, *datagrams, rng, directory, {});
  const int upstream_port = *upstream.listen("127.0.0.1", 0);
  ServerOptions options;
  options.zone.domain = "own.test";
  options.resolver_timeout = Duration::milliseconds(100);
  // The first does not answer at all.
  auto silent = datagrams->bind("127.0.0.1", 0, [](std::string_view, host::DatagramPeer) {});
  options.resolvers = {{0x7f000001, static_cast<std::uint16_t>((*silent)->port())},
                       {0x7f000001, static_cast<std::uint16_t>(upstream_port)}};
  Server server(loop, *sockets, *datagrams, rng, directory, options);
  const int port = *server.listen("127.0.0.1", 0);

  auto response = parse_response(exchange(port, encode_query(9, "web.shop.svc.own.test", Type::a)));
  ASSERT_TRUE(response);
  EXPECT_EQ(show(response->answers.at(0)), "web.shop.svc.own.test A 10.96.0.20");
  response =
      parse_response(exchange(port, encode_query(10, "web.shop.svc.cluster.local", Type::a)));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->id, 10);
  EXPECT_EQ(show(response->answers.at(0)), "web.shop.svc.cluster.local A 10.96.0.20");
  // Nobody upstream of the upstream.
  response = parse_response(exchange(port, encode_query(11, "example.com", Type::a)));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->code, Code::server_failure);
}

TEST_F(DnsServer, ServesOverTcpInPieces) {
  Server server(loop, *sockets, *datagrams, rng, directory, {});
  const int port = *server.listen("127.0.0.1", 0);
  const std::string query = encode_query(3, "web.shop.svc.cluster.local", Type::a);
  const std::string wire = std::string{'\0', static_cast<char>(query.size())} + query;
  std::unique_ptr<host::Stream> stream;
  std::string got;
  sockets->connect("127.0.0.1", port, [&](Result<std::unique_ptr<host::Stream>> connected) {
    ASSERT_TRUE(connected.ok());
    stream = std::move(*connected);
    stream->start({.on_data =
                       [&](std::string_view bytes) {
                         got += bytes;
                         if (got.size() > 2) loop.stop();
                       },
                   .on_end = {},
                   .on_drained = {}});
    stream->write(wire.substr(0, 5));
    loop.post([&] { stream->write(wire.substr(5)); });
  });
  auto limit = loop.call_at(loop.now() + Duration::seconds(2), [&] { loop.stop(); });
  loop.run();
  const auto response = parse_response(got.substr(2));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->answers.size(), 1u);
}

TEST(DnsServerText, ResolversOfAResolvConf) {
  const auto found = resolvers_of("# x\nnameserver 1.2.3.4\nnameserver ::1\n nameserver 10.0.0.1\n",
                                  *parse_address("10.0.0.1"));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].address, *parse_address("1.2.3.4"));
}

}  // namespace
}  // namespace keelson::net::dns
