// A name inside the zone is cut into labels from the right: "svc" or "pod", the namespace, the
// Service, and what stands before it (an endpoint's name, or _port._protocol).
#include "net/dns/records.h"

#include <algorithm>

#include "base/text.h"
#include "net/address.h"

namespace keelson::net::dns {
namespace {

constexpr int kAliasesMax = 8;  // of ExternalNames that name one another

std::string dashed(std::uint32_t address) {
  std::string text = address_text(address);
  std::replace(text.begin(), text.end(), '.', '-');
  return text;
}

std::string name_of(const Endpoint& endpoint) {
  return endpoint.hostname.empty() ? dashed(endpoint.address) : endpoint.hostname;
}

class Lookup {
 public:
  Lookup(const Directory& directory, const Zone& zone, const Question& question)
      : directory_(directory), zone_(zone), question_(question) {}

  Verdict run() {
    const std::string& name = question_.name;
    if (name == zone_.domain) return apex();
    if (name.ends_with("." + zone_.domain)) return inside(name);
    if (name.ends_with(".in-addr.arpa")) return reverse();
    return {};
  }

 private:
  bool asks(Type type) const { return question_.type == type || question_.type == Type::any; }

  Record soa() const {
    Record record{zone_.domain, Type::soa, zone_.ttl};
    record.target = "ns.dns." + zone_.domain;
    record.serial = 1;
    record.negative_ttl = zone_.ttl;
    return record;
  }

  // Without answers: the name exists but not with this type (NODATA), or does not exist.
  Verdict finish(bool exists) {
    if (answer_.answers.empty()) {
      answer_.code = exists ? Code::no_error : Code::name_error;
      answer_.authority.push_back(soa());
    }
    return {std::move(answer_), std::move(chase_)};
  }

  Verdict apex() {
    if (asks(Type::soa)) answer_.answers.push_back(soa());
    if (asks(Type::ns)) {
      Record record{zone_.domain, Type::ns, zone_.ttl};
      record.target = "ns.dns." + zone_.domain;
      answer_.answers.push_back(record);
      add_address(answer_.additional, record.target, zone_.dns_address);
    }
    return finish(true);
  }

  void add_address(std::vector<Record>& to, const std::string& name, std::uint32_t address) {
    if (address != 0) to.push_back(address_record(name, zone_.ttl, address));
  }

  Verdict inside(const std::string& name) {
    std::vector<std::string> labels =
        split(std::string_view(name).substr(0, name.size() - zone_.domain.size() - 1), '.');
    std::reverse(labels.begin(), labels.end());
    if (labels[0] == "svc") return service(labels, name);
    if (labels[0] == "pod") return pod(labels);
    if (labels[0] == "dns-version" && labels.size() == 1) {
      if (asks(Type::txt)) {
        Record record{name, Type::txt, zone_.ttl};
        record.bytes = "1.1.0";
        answer_.answers.push_back(record);
      }
      return finish(true);
    }
    if (labels[0] == "dns" && (labels.size() == 1 || (labels.size() == 2 && labels[1] == "ns"))) {
      if (labels.size() == 2 && asks(Type::a))
        add_address(answer_.answers, name, zone_.dns_address);
      return finish(true);
    }
    return finish(false);
  }

  Verdict pod(const std::vector<std::string>& labels) {
    if (labels.size() == 1) return finish(true);
    const bool known = directory_.has_namespace(labels[1]);
    if (labels.size() != 3) return finish(known && labels.size() == 2);
    std::string text = labels[2];
    std::replace(text.begin(), text.end(), '-', '.');
    const auto address = parse_address(text);
    if (known && address && asks(Type::a)) add_address(answer_.answers, question_.name, *address);
    return finish(known && address);
  }

  Verdict service(const std::vector<std::string>& labels, const std::string& name) {
    if (labels.size() == 1) return finish(true);
    if (labels.size() == 2) return finish(directory_.has_namespace(labels[1]));
    const Service* service = directory_.find(labels[1], labels[2]);
    if (service == nullptr || !service->exists()) return finish(false);
    const std::string base = labels[2] + "." + labels[1] + ".svc." + zone_.domain;
    if (service->type() == "ExternalName") {
      if (labels.size() != 3) return finish(false);
      return alias(name, *service);
    }
    if (labels.size() == 3) {
      if (asks(Type::a)) add_service_addresses(*service, name);
      if (asks(Type::srv)) add_ports(*service, base, "", "");
      return finish(true);
    }
    if (labels.size() == 4 && !labels[3].starts_with("_")) return endpoint(*service, labels[3]);
    if (labels.size() == 4) return finish(has_protocol(*service, labels[3]));
    if (labels.size() == 5 && labels[3].starts_with("_") && labels[4].starts_with("_")) {
      const std::string protocol = labels[3].substr(1), port = labels[4].substr(1);
      const bool known = add_ports(*service, base, port, protocol);
      if (!asks(Type::srv)) answer_ = {};
      return finish(known);
    }
    return finish(false);
  }

  static bool has_protocol(const Service& service, const std::string& label) {
    for (const ServicePort& port : service.ports())
      if ("_" + to_lower(port.protocol) == label) return true;
    return false;
  }

  Verdict alias(const std::string& name, const Service& service) {
    std::string target = to_lower(service.object["spec"]["externalName"].as_string());
    if (target.ends_with(".")) target.pop_back();
    Record record{name, Type::cname, zone_.ttl};
    record.target = target;
    answer_.answers.push_back(record);
    if (question_.type != Type::a && question_.type != Type::aaaa) return finish(true);
    if (target != zone_.domain && !target.ends_with("." + zone_.domain)) {
      chase_ = target;
      return finish(true);
    }
    if (++aliases_ > kAliasesMax) return finish(true);
    const std::vector<Record> so_far = std::move(answer_.answers);
    answer_ = {};
    Verdict rest = inside(target);
    // Names of addresses are those that were looked up, which is the target now.
    for (Record& found : rest.answer->answers)
      if (found.name == question_.name && found.type != Type::cname) found.name = target;
    rest.answer->answers.insert(rest.answer->answers.begin(), so_far.begin(), so_far.end());
    rest.answer->code = Code::no_error;
    return rest;
  }

  template <typename Call>
  void for_ready(const Service& service, const Call& call) const {
    for (const auto& [slice_name, slice] : service.slices)
      for (const Endpoint& endpoint : slice.endpoints)
        if (endpoint.ready) call(slice, endpoint);
  }

  void add_unique(std::vector<Record>& to, const std::string& name, std::uint32_t address) {
    Record record = address_record(name, zone_.ttl, address);
    for (const Record& other : to)
      if (other.name == name && other.type == Type::a && other.bytes == record.bytes) return;
    to.push_back(std::move(record));
  }

  void add_service_addresses(const Service& service, const std::string& name) {
    if (!service.is_headless()) return add_address(answer_.answers, name, service.address());
    for_ready(service, [&](const Slice&, const Endpoint& endpoint) {
      add_unique(answer_.answers, name, endpoint.address);
    });
  }

  Verdict endpoint(const Service& service, const std::string& label) {
    bool known = false;
    for_ready(service, [&](const Slice&, const Endpoint& endpoint) {
      if (name_of(endpoint) != label) return;
      known = true;
      if (asks(Type::a)) add_unique(answer_.answers, question_.name, endpoint.address);
    });
    return finish(known);
  }

  void add_srv(const std::string& target, int port) {
    Record record{question_.name, Type::srv, zone_.ttl};
    record.target = target;
    record.weight = 100;
    record.port = static_cast<std::uint16_t>(port);
    for (const Record& other : answer_.answers)
      if (other.type == Type::srv && other.target == target && other.port == record.port) return;
    answer_.answers.push_back(std::move(record));
  }

  // Empty port: all of them. True if the Service has such a port.
  bool add_ports(const Service& service, const std::string& base, const std::string& port,
                 const std::string& protocol) {
    bool known = false;
    for (const ServicePort& at : service.ports()) {
      if (!protocol.empty() && (at.name != port || to_lower(at.protocol) != protocol)) continue;
      known = true;
      if (!service.is_headless()) {
        add_srv(base, at.port);
        add_unique(answer_.additional, base, service.address());
        continue;
      }
      for_ready(service, [&](const Slice& slice, const Endpoint& endpoint) {
        for (const EndpointPort& real : slice.ports) {
          if (real.name != at.name || real.protocol != at.protocol) continue;
          add_srv(name_of(endpoint) + "." + base, real.port);
          add_unique(answer_.additional, name_of(endpoint) + "." + base, endpoint.address);
        }
      });
    }
    return known;
  }

  Verdict reverse() {
    std::vector<std::string> labels = split(question_.name, '.');
    if (labels.size() != 6) return {};
    const auto address =
        parse_address(labels[3] + "." + labels[2] + "." + labels[1] + "." + labels[0]);
    if (!address) return {};
    const auto add = [&](const std::string& target) {
      Record record{question_.name, Type::ptr, zone_.ttl};
      record.target = target;
      answer_.answers.push_back(record);
    };
    for (const Service* service : directory_.by_address(*address)) {
      const std::string base =
          service->key.name + "." + service->key.namespace_ + ".svc." + zone_.domain;
      if (service->address() == *address) add(base);
      for_ready(*service, [&](const Slice&, const Endpoint& endpoint) {
        if (endpoint.address == *address) add(name_of(endpoint) + "." + base);
      });
    }
    if (answer_.answers.empty()) return {};  // somebody else's address
    if (!asks(Type::ptr)) answer_.answers.clear();
    return finish(true);
  }

  const Directory& directory_;
  const Zone& zone_;
  const Question& question_;
  Answer answer_;
  std::string chase_;
  int aliases_ = 0;
};

}  // namespace

Verdict answer_question(const Directory& directory, const Zone& zone, const Question& question) {
  if (question.class_ != 1) return {};
  return Lookup(directory, zone, question).run();
}

}  // namespace keelson::net::dns
