// DNS messages on the wire (RFC 1035, EDNS of RFC 6891). Pure; never trusts a length or a pointer
// of what it reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keelson::net::dns {

enum class Type : std::uint16_t {
  a = 1,
  ns = 2,
  cname = 5,
  soa = 6,
  ptr = 12,
  txt = 16,
  aaaa = 28,
  srv = 33,
  opt = 41,
  any = 255,
};

enum class Code : std::uint8_t {
  no_error = 0,
  format_error = 1,
  server_failure = 2,
  name_error = 3,
  not_implemented = 4,
  refused = 5,
};

struct Question {
  std::string name;   // lower case, without the final dot; "" is the root
  std::string asked;  // the name on the wire, to be echoed in the case it came
  Type type = Type::a;
  std::uint16_t class_ = 1;
};

struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  Question question;
  bool edns = false;
  bool edns_version_unknown = false;
  std::size_t payload_max = 512;  // what the asker takes over UDP
};

struct Record {
  std::string name;
  Type type = Type::a;
  std::uint32_t ttl = 0;
  std::string bytes = {};   // of A (4), AAAA (16) and TXT, in network order
  std::string target = {};  // of CNAME, PTR, NS, SRV; of SOA the name server
  std::uint16_t priority = 0, weight = 0, port = 0;  // of SRV
  std::uint32_t serial = 0, negative_ttl = 0;        // of SOA
};
Record address_record(std::string name, std::uint32_t ttl, std::uint32_t address);

struct Answer {
  Code code = Code::no_error;
  bool authoritative = true;
  std::vector<Record> answers = {}, authority = {}, additional = {};
};

// What came: a query, something to be answered with an error, or nothing to be answered at all
// (another server's response, or too short for a header).
struct Received {
  std::optional<Query> query;
  std::optional<Code> refusal;  // then query.id and query.recursion_desired are set too
  Query head;                   // for the refusal
};
Received parse_query(std::string_view bytes);

// The response. Over `size_max` bytes it is cut to the header and question with TC set; records of
// the additional section are left out first.
std::string encode_answer(const Query& query, const Answer& answer, std::size_t size_max);
std::string encode_refusal(const Query& head, Code code);

std::string encode_query(std::uint16_t id, const std::string& name, Type type);

// Of another server's response.
struct Response {
  std::uint16_t id = 0;
  Code code = Code::no_error;
  bool truncated = false;
  Question question;
  std::vector<Record> answers;  // only A, AAAA and CNAME
};
std::optional<Response> parse_response(std::string_view bytes);

}  // namespace keelson::net::dns
