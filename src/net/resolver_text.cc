// dnsPolicy chooses the base (ClusterFirst for pods with hostNetwork means the host's), dnsConfig
// is merged into it: servers and search domains without doubles, options by name.
#include "net/resolver_text.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/text.h"
#include "model/meta.h"

namespace keelson::net {
namespace {

constexpr std::size_t kServersMax = 3, kSearchesMax = 32, kSearchBytesMax = 2048;

struct Resolver {
  std::vector<std::string> servers, searches;
  std::vector<std::pair<std::string, std::string>> options;  // name, value or empty
};

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : line) {
    if (c != ' ' && c != '\t' && c != '\r') {
      word.push_back(c);
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

void set_option(Resolver& resolver, const std::string& name, const std::string& value) {
  for (auto& [known, old] : resolver.options)
    if (known == name) {
      old = value;
      return;
    }
  resolver.options.emplace_back(name, value);
}

Resolver parse(std::string_view text) {
  Resolver out;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> words = words_of(line);
    if (words.size() < 2 || words[0][0] == '#' || words[0][0] == ';') continue;
    if (words[0] == "nameserver") out.servers.push_back(words[1]);
    if (words[0] == "search" || words[0] == "domain")
      out.searches.assign(words.begin() + 1, words.end());
    if (words[0] == "options")
      for (std::size_t i = 1; i < words.size(); ++i) {
        const std::size_t colon = words[i].find(':');
        set_option(out, words[i].substr(0, colon),
                   colon == std::string::npos ? "" : words[i].substr(colon + 1));
      }
  }
  return out;
}

void add_unique(std::vector<std::string>& list, const std::string& text) {
  if (!text.empty() && std::find(list.begin(), list.end(), text) == list.end())
    list.push_back(text);
}

std::string text_of(const Resolver& resolver) {
  std::string out;
  std::string search;
  std::size_t searches = 0;
  for (const std::string& domain : resolver.searches) {
    if (searches == kSearchesMax || search.size() + domain.size() + 1 > kSearchBytesMax) break;
    search += (searches++ > 0 ? " " : "") + domain;
  }
  if (!search.empty()) out += "search " + search + "\n";
  for (std::size_t i = 0; i < resolver.servers.size() && i < kServersMax; ++i)
    out += "nameserver " + resolver.servers[i] + "\n";
  std::string options;
  for (const auto& [name, value] : resolver.options)
    options += " " + name + (value.empty() ? "" : ":" + value);
  if (!options.empty()) out += "options" + options + "\n";
  return out;
}

}  // namespace

std::string resolver_text(const codec::Value& pod, const ResolverOptions& options) {
  const codec::Value& spec = pod["spec"];
  const std::string policy = spec["dnsPolicy"].str();
  const bool host_network = spec["hostNetwork"].as_bool();
  Resolver resolver;
  if (policy == "None") {
  } else if (options.cluster_address.empty() || policy == "Default" ||
             (host_network && policy != "ClusterFirstWithHostNet")) {
    resolver = parse(options.host_text);
  } else {
    resolver = parse(options.host_text);
    resolver.servers = {options.cluster_address};
    const std::vector<std::string> of_host = resolver.searches;
    resolver.searches = {std::string(model::namespace_of(pod)) + ".svc." + options.domain,
                         "svc." + options.domain, options.domain};
    for (const std::string& domain : of_host) add_unique(resolver.searches, domain);
    resolver.options = {{"ndots", "5"}};
  }
  for (const codec::Value& server : spec["dnsConfig"]["nameservers"].elements())
    add_unique(resolver.servers, server.str());
  for (const codec::Value& domain : spec["dnsConfig"]["searches"].elements())
    add_unique(resolver.searches, domain.str());
  for (const codec::Value& option : spec["dnsConfig"]["options"].elements())
    set_option(resolver, option["name"].str(), option["value"].str());
  return text_of(resolver);
}

}  // namespace keelson::net
