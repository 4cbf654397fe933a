// The server from request to answer, on a registry and a store in memory: who asks, what is asked,
// what comes back. No network.
#include "api/server.h"

#include <gtest/gtest.h>

#include <optional>

#include "api/access/pki.h"
#include "base/text.h"
#include "codec/json.h"
#include "codec/protobuf.h"
#include "host/linux/linux_host.h"
#include "host/virtual_files.h"
#include "model/types.h"
#include "store/store.h"

namespace keelson::api {
namespace {

struct Answer {
  int code = 0;
  Headers headers;
  std::string text;
  std::unique_ptr<Body> body;
  Value json() const {
    auto value = codec::parse_json(text);
    return value.ok() ? *value : Value();
  }
};

class RecordingResponder final : public Responder {
 public:
  explicit RecordingResponder(std::optional<Answer>& answer) : answer_(answer) {}
  void respond(HttpResponse response) override {
    answer_ = Answer{response.code, response.headers, response.text, std::move(response.body)};
  }
  void on_cancel(std::function<void()>) override {}
  std::unique_ptr<host::Stream> upgrade(Headers) override { return nullptr; }

 private:
  std::optional<Answer>& answer_;
};

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    const auto pki = open_pki(files_, {.directory = "/pki"}, loop_.now());
    KEELSON_CHECK(pki.ok());
    auto signer = TokenSigner::make(pki->token_key_pem, "https://issuer");
    KEELSON_CHECK(signer.ok());
    AuthenticationOptions options;
    options.static_tokens["admin-token"] = {"root", "", {"system:masters"}, {}};
    options.static_tokens["bob-token"] = {"bob", "", {}, {}};
    access_ = std::make_unique<AccessControl>(
        std::shared_ptr<const TokenSigner>(std::move(*signer)), [this] { return loop_.now(); },
        rng_, options);
    registry_ = std::make_unique<registry::Registry>(*store_, access_->environment());
    KEELSON_CHECK(registry_->start().ok());
    access_->attach(*registry_);
    server_ = std::make_unique<Server>(
        ServerParts{.loop = loop_,
                    .sockets = *sockets_,
                    .registry = *registry_,
                    .access = *access_,
                    .rng = rng_,
                    .settle = [this](std::int64_t, auto call) {
                      if (hold_) return held_.push_back(std::move(call));
                      if (disk_full_)
                        return call(Error{Reason::service_unavailable, "the store cannot write"});
                      call({});
                    }});
  }

  Answer ask(std::string method, std::string target, std::string body = {},
             std::string token = "admin-token",
             std::vector<std::pair<std::string, std::string>> headers = {}) {
    HttpRequest request;
    request.method = std::move(method);
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    if (!token.empty()) request.headers.add("authorization", "Bearer " + token);
    for (auto& [name, value] : headers) request.headers.add(name, value);
    request.body = std::move(body);
    answer_.reset();
    server_->handle(std::move(request), std::make_shared<RecordingResponder>(answer_));
    KEELSON_CHECK(answer_.has_value());
    return std::move(*answer_);
  }
  // Lets what was posted run.
  void turn() {
    loop_.post([this] { loop_.post([this] { loop_.stop(); }); });
    loop_.run();
  }

  bool disk_full_ = false, hold_ = false;
  std::vector<std::function<void(Result<void>)>> held_;
  host::LinuxLoop loop_;
  Prng rng_{7};
  host::VirtualFiles files_;
  std::unique_ptr<host::Sockets> sockets_ = host::make_linux_sockets(loop_);
  std::unique_ptr<store::Store> store_ = store::Store::in_memory(loop_);
  std::unique_ptr<AccessControl> access_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<Server> server_;
  std::optional<Answer> answer_;
};

constexpr const char* kConfigMaps = "/api/v1/namespaces/default/configmaps";

TEST_F(ServerTest, MetricsSayHowLongRequestsTookAndHowManyAreOnTheirWay) {
  const auto figures = [this] { return ask("GET", "/metrics").text; };
  hold_ = true;
  std::optional<Answer> later;
  HttpRequest request;
  request.method = "POST";
  request.path = kConfigMaps;
  request.headers.add("authorization", "Bearer admin-token");
  request.body = R"({"metadata":{"name":"a"}})";
  server_->handle(std::move(request), std::make_shared<RecordingResponder>(later));
  ASSERT_EQ(held_.size(), 1u);
  EXPECT_NE(figures().find("apiserver_current_inflight_requests{request_kind=\"mutating\"} 1\n"),
            std::string::npos);
  const Instant begun = loop_.now();
  while (loop_.now() - begun < Duration::milliseconds(2)) turn();
  held_[0]({});
  ASSERT_TRUE(later.has_value());
  const std::string text = figures();
  EXPECT_NE(text.find("apiserver_current_inflight_requests{request_kind=\"mutating\"} 0\n"),
            std::string::npos);
  const std::string labels =
      "{group=\"\",resource=\"configmaps\",subresource=\"\",verb=\"create\",version=\"v1\"";
  EXPECT_NE(
      text.find("apiserver_request_duration_seconds_bucket" + labels + ",le=\"0.001000\"} 0\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("apiserver_request_duration_seconds_count" + labels + "} 1\n"),
            std::string::npos);
}

TEST_F(ServerTest, AFullDiskKeepsNobodyWaiting) {
  disk_full_ = true;
  EXPECT_EQ(ask("GET", kConfigMaps).code, 503);
  const Answer made = ask("POST", kConfigMaps, R"({"metadata":{"name":"a"}})");
  EXPECT_EQ(made.code, 504);
  EXPECT_NE(made.text.find("whether this change holds is open"), std::string::npos);
}

TEST_F(ServerTest, CreatesReadsListsAndDeletes) {
  EXPECT_EQ(ask("POST", kConfigMaps, R"({"metadata":{"name":"a"},"data":{"k":"v"}})").code, 201);
  const Answer one = ask("GET", std::string(kConfigMaps) + "/a");
  EXPECT_EQ(one.code, 200);
  EXPECT_EQ(one.headers.get("content-type"), "application/json");
  EXPECT_TRUE(one.text.starts_with(R"({"apiVersion":"v1","kind":"ConfigMap",)"));
  const Value list = ask("GET", kConfigMaps).json();
  EXPECT_EQ(list["kind"].as_string(), "ConfigMapList");
  EXPECT_EQ(list["items"][0]["data"]["k"].as_string(), "v");
  EXPECT_FALSE(list["items"][0].has("kind"));
  EXPECT_EQ(ask("DELETE", std::string(kConfigMaps) + "/a").json()["status"].as_string(), "Success");
  const Answer gone = ask("GET", std::string(kConfigMaps) + "/a");
  EXPECT_EQ(gone.code, 404);
  EXPECT_EQ(gone.json()["message"].as_string(), "configmaps \"a\" not found");
}

TEST_F(ServerTest, RefusesByIdentity) {
  EXPECT_EQ(ask("GET", kConfigMaps, "", "nonsense").code, 401);
  EXPECT_EQ(ask("GET", kConfigMaps, "", "bob-token").json()["message"].as_string(),
            "configmaps is forbidden: User \"bob\" cannot list resource \"configmaps\" in API "
            "group \"\" in the namespace \"default\"");
  EXPECT_EQ(ask("GET", "/metrics", "", "").json()["message"].as_string(),
            "forbidden: User \"system:anonymous\" cannot get path \"/metrics\"");
  EXPECT_EQ(ask("GET", "/livez", "", "").text, "ok");
}

TEST_F(ServerTest, FollowsRolesAsTheyChange) {
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/";
  EXPECT_EQ(ask("POST", rbac + "roles",
                R"({"metadata":{"name":"r"},"rules":[{"apiGroups":[""],"resources":["configmaps"],)"
                R"("verbs":["list"]}]})")
                .code,
            201);
  EXPECT_EQ(ask("POST", rbac + "rolebindings",
                R"({"metadata":{"name":"b"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",)"
                R"("kind":"Role","name":"r"},"subjects":[{"kind":"User","name":"bob",)"
                R"("apiGroup":"rbac.authorization.k8s.io"}]})")
                .code,
            201);
  turn();
  EXPECT_EQ(ask("GET", kConfigMaps, "", "bob-token").code, 200);
  EXPECT_EQ(ask("DELETE", rbac + "rolebindings/b").code, 200);
  turn();
  EXPECT_EQ(ask("GET", kConfigMaps, "", "bob-token").code, 403);
}

TEST_F(ServerTest, IssuesTokensThatEndWithTheirAccount) {
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  EXPECT_EQ(ask("POST", accounts, R"({"metadata":{"name":"s"}})").code, 201);
  const Answer issued = ask("POST", accounts + "/s/token", R"({"spec":{}})");
  ASSERT_EQ(issued.code, 201) << issued.text;
  const std::string token = issued.json()["status"]["token"].str();
  const std::string self = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  EXPECT_EQ(ask("POST", self, "{}", token).json()["status"]["userInfo"]["username"].as_string(),
            "system:serviceaccount:default:s");
  EXPECT_EQ(ask("POST", self, "{}", token + "x").code, 401);
  EXPECT_EQ(ask("DELETE", accounts + "/s").code, 200);
  EXPECT_EQ(ask("POST", self, "{}", token).code, 401);
}

TEST_F(ServerTest, TokensInSecretsAreGoodWhileTheyStandThere) {
  ask("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"robot"}})");
  const std::string uid = ask("GET", "/api/v1/namespaces/default/serviceaccounts/robot")
                              .json()["metadata"]["uid"]
                              .str();
  const std::string prefix = "kubernetes.io/serviceaccount/";
  const std::string token =
      access_->signer().sign(Value::object({{"iss", "kubernetes/serviceaccount"},
                                            {prefix + "namespace", "default"},
                                            {prefix + "secret.name", "robot-token"},
                                            {prefix + "service-account.name", "robot"},
                                            {prefix + "service-account.uid", uid},
                                            {"sub", "system:serviceaccount:default:robot"}}));
  const auto secret = [&](const std::string& kept) {
    return R"({"metadata":{"name":"robot-token","annotations":{"kubernetes.io/service-account.name":"robot"}},)"
           R"("type":"kubernetes.io/service-account-token","data":{"token":")" +
           to_base64(kept) + R"("}})";
  };
  const std::string secrets = "/api/v1/namespaces/default/secrets";
  const auto who = [&] {
    return ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}", token);
  };
  EXPECT_EQ(who().code, 401);
  EXPECT_EQ(ask("POST", secrets, secret(token)).code, 201);
  EXPECT_EQ(who().json()["status"]["userInfo"]["username"].as_string(),
            "system:serviceaccount:default:robot");
  EXPECT_EQ(ask("PUT", secrets + "/robot-token", secret("another")).code, 200);
  EXPECT_EQ(who().code, 401);
  EXPECT_EQ(ask("PUT", secrets + "/robot-token", secret(token)).code, 200);
  EXPECT_EQ(who().code, 201);
  ask("DELETE", secrets + "/robot-token");
  EXPECT_EQ(who().code, 401);
}

TEST_F(ServerTest, BootstrapTokensCannotRaiseThemselves) {
  const auto secret = [&](const std::string& groups) {
    return R"({"metadata":{"name":"bootstrap-token-abcdef"},"type":"bootstrap.kubernetes.io/token",)"
           R"("stringData":{"token-id":"abcdef","token-secret":"0123456789abcdef",)"
           R"("usage-bootstrap-authentication":"true","auth-extra-groups":")" +
           groups + "\"}}";
  };
  const std::string secrets = "/api/v1/namespaces/kube-system/secrets";
  const std::string self = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  ASSERT_EQ(ask("POST", secrets, secret("system:bootstrappers:x")).code, 201);
  EXPECT_EQ(ask("POST", self, "{}", "abcdef.0123456789abcdef").code, 201);
  EXPECT_EQ(ask("POST", self, "{}", "abcdef.0123456789abcdeg").code, 401);
  ASSERT_EQ(ask("DELETE", secrets + "/bootstrap-token-abcdef").code, 200);
  ASSERT_EQ(ask("POST", secrets, secret("system:masters")).code, 201);
  EXPECT_EQ(ask("POST", self, "{}", "abcdef.0123456789abcdef").code, 401);
}

TEST_F(ServerTest, WatchesAsFrames) {
  Answer watch = ask("GET", std::string(kConfigMaps) + "?watch=1&resourceVersion=0");
  ASSERT_NE(watch.body, nullptr);
  bool woken = false;
  watch.body->set_wake([&] { woken = true; });
  std::string text;
  EXPECT_EQ(watch.body->read(text, 1000), Body::State::waiting);
  EXPECT_EQ(text, "");
  ask("POST", kConfigMaps, R"({"metadata":{"name":"a"}})");
  turn();
  EXPECT_TRUE(woken);
  watch.body->read(text, 1000);
  EXPECT_TRUE(
      text.starts_with(R"({"type":"ADDED","object":{"apiVersion":"v1","kind":"ConfigMap")"));
  EXPECT_TRUE(text.ends_with("}\n"));
}

TEST_F(ServerTest, SpeaksProtobufBothWays) {
  const model::TypeTable& types = registry_->types();
  const auto type = types.find("", "v1", "configmaps")->type;
  const Value object = *codec::parse_json(R"({"metadata":{"name":"p"},"data":{"k":"v"}})");
  const std::string body =
      codec::wrap_protobuf("v1", "ConfigMap", codec::to_protobuf(*type, object));
  const std::pair<std::string, std::string> sent{"content-type",
                                                 "application/vnd.kubernetes.protobuf"};
  const std::pair<std::string, std::string> wanted{"accept", "application/vnd.kubernetes.protobuf"};
  const Answer made = ask("POST", kConfigMaps, body, "admin-token", {sent, wanted});
  ASSERT_EQ(made.code, 201) << made.text;
  const auto envelope = codec::open_protobuf(made.text);
  ASSERT_TRUE(envelope.ok());
  EXPECT_EQ(envelope->kind, "ConfigMap");
  const auto read = codec::from_protobuf(*type, envelope->raw);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ((*read)["data"]["k"].as_string(), "v");
  const Answer list = ask("GET", kConfigMaps, "", "admin-token", {wanted});
  EXPECT_EQ(codec::open_protobuf(list.text)->kind, "ConfigMapList");
  EXPECT_EQ(ask("POST", kConfigMaps, "junk", "admin-token", {sent}).code, 400);
}

TEST_F(ServerTest, AnswersOddPathsAsTheOriginal) {
  const std::string missing = "the server could not find the requested resource";
  for (const char* path :
       {"/api/v2/pods", "/api/v1/bogus", "/api/v1/pods/x", "/apis/apps/v9/deployments",
        "/api/v1/namespaces/default/nodes", "/api/v1/namespaces/default/configmaps//a",
        "/api/v1/namespaces/default/configmaps/a/b/c"}) {
    const Answer answer = ask("GET", path);
    EXPECT_EQ(answer.code, 404) << path;
    EXPECT_EQ(answer.json()["message"].as_string(), missing) << path;
  }
  EXPECT_EQ(ask("GET", "/apis/nosuch/v1/x").text, "404 page not found\n");
  EXPECT_EQ(ask("GET", "/apis/apps/v1/watch").code, 500);
  EXPECT_EQ(ask("GET", "/api/v1/namespaces/default/configmaps/%").code, 400);
  EXPECT_EQ(ask("PUT", kConfigMaps, "{}").code, 405);
  EXPECT_EQ(ask("HEAD", kConfigMaps).code, 405);
  EXPECT_EQ(ask("GET", std::string(kConfigMaps) + "?limit=x").json()["message"].as_string(),
            "strconv.ParseInt: parsing \"x\": invalid syntax");
}

TEST_F(ServerTest, ServesDiscoveryWithTags) {
  const std::pair<std::string, std::string> aggregated{
      "accept", "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"};
  const Answer first = ask("GET", "/apis", "", "admin-token", {aggregated});
  EXPECT_EQ(first.json()["kind"].as_string(), "APIGroupDiscoveryList");
  const std::string tag(first.headers.get("etag"));
  EXPECT_EQ(ask("GET", "/apis", "", "admin-token", {aggregated, {"if-none-match", tag}}).code, 304);
  const Value index = ask("GET", "/openapi/v3").json();
  EXPECT_TRUE(index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_string().starts_with(
      "/openapi/v3/apis/apps/v1?hash="));
}

// Without its quotes.
std::string tag_of(const Answer& answer) {
  const std::string_view tag = answer.headers.get("etag");
  return std::string(tag.substr(1, tag.size() - 2));
}

TEST_F(ServerTest, ServesOpenapiToBeKept) {
  const Value index = ask("GET", "/openapi/v3").json();
  const std::string address = index["paths"]["apis/apps/v1"]["serverRelativeURL"].str();
  const Answer kept = ask("GET", address);
  EXPECT_EQ(kept.headers.get("cache-control"), "public, immutable");
  EXPECT_TRUE(kept.headers.get("expires").ends_with(" GMT"));
  EXPECT_EQ(address, "/openapi/v3/apis/apps/v1?hash=" + tag_of(kept));
  const Answer moved = ask("GET", "/openapi/v3/apis/apps/v1?hash=old");
  EXPECT_EQ(moved.code, 301);
  EXPECT_EQ(moved.headers.get("location"), address);
  const Answer plain = ask("GET", "/openapi/v3/apis/apps/v1");
  EXPECT_EQ(plain.headers.get("cache-control"), "no-cache, private");
  const std::string tag(plain.headers.get("etag"));
  EXPECT_EQ(ask("GET", "/openapi/v3/apis/apps/v1", "", "admin-token",
                {{"if-none-match", "\"other\", W/" + tag}})
                .code,
            304);
  const Answer packed =
      ask("GET", "/openapi/v3/apis/apps/v1", "", "admin-token", {{"accept-encoding", "gzip"}});
  EXPECT_EQ(gunzip(packed.text), plain.text);
  EXPECT_EQ(ask("GET", "/openapi/v3/nosuch").code, 404);
  EXPECT_EQ(ask("GET", "/openapi/v3/").text, "");
}

TEST_F(ServerTest, ServesOpenapiInProtobuf) {
  const auto accept = [](std::string type) {
    return std::vector<std::pair<std::string, std::string>>{{"accept", std::move(type)}};
  };
  const auto get = [&](const char* path, std::string type) {
    return ask("GET", path, "", "admin-token", accept(std::move(type)));
  };
  const Answer json = get("/openapi/v2", "application/*");
  EXPECT_EQ(json.headers.get("content-type"), "application/json");
  Answer wire = get("/openapi/v2", "application/json;q=0.1, " + std::string("application/") +
                                       "com.github.proto-openapi.spec.v2@v1.0+protobuf");
  EXPECT_EQ(wire.headers.get("content-type"),
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  EXPECT_EQ(wire.headers.get("etag"), json.headers.get("etag"));
  if (wire.body) wire.body->read(wire.text, 1);      // long answers are pulled
  const std::string_view version2 = "\n\x03\x32.0";  // field 1: the version of the format
  EXPECT_TRUE(wire.text.starts_with(version2));
  EXPECT_EQ(get("/openapi/v2", "application/yaml").code, 406);
  const Answer three =
      get("/openapi/v3/version", "application/com.github.proto-openapi.spec.v3.v1.0+protobuf");
  EXPECT_TRUE(three.text.starts_with("\n\x05\x33.0.0"));
}

TEST_F(ServerTest, OpenapiFollowsDefinitions) {
  const auto hash_of = [this](const char* name) {
    return ask("GET", "/openapi/v3").json()["paths"][name]["serverRelativeURL"].str();
  };
  const std::string apps = hash_of("apis/apps/v1");
  const std::string before(ask("GET", "/openapi/v2").headers.get("etag"));
  EXPECT_EQ(hash_of("apis/x.io/v1"), "");
  const Answer made = ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", R"({
      "metadata": {"name": "as.x.io"},
      "spec": {"group": "x.io", "scope": "Cluster", "names": {"plural": "as", "kind": "A"},
               "versions": [{"name": "v1", "served": true, "storage": true,
                             "schema": {"openAPIV3Schema": {"type": "object"}}}]}})");
  ASSERT_EQ(made.code, 201) << made.text;
  turn();
  EXPECT_NE(hash_of("apis/x.io/v1"), "");
  EXPECT_EQ(hash_of("apis/apps/v1"), apps);
  EXPECT_NE(ask("GET", "/openapi/v2").headers.get("etag"), before);
  ask("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/as.x.io");
  turn();
  EXPECT_EQ(hash_of("apis/x.io/v1"), "");
  EXPECT_EQ(ask("GET", "/openapi/v2").headers.get("etag"), before);
}

TEST_F(ServerTest, AggregatedDiscoveryHasEveryForm) {
  const std::string as = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const auto get = [&](const std::string& type) {
    return ask("GET", "/apis", "", "admin-token", {{"accept", type}});
  };
  // Wherever the header says so.
  const Answer json = get("application/json,application/json" + as);
  EXPECT_EQ(json.headers.get("content-type"), "application/json" + as);
  EXPECT_TRUE(
      get("application/yaml" + as).text.starts_with("apiVersion: apidiscovery.k8s.io/v2\n"));
  const Answer wire = get("application/vnd.kubernetes.protobuf" + as);
  EXPECT_EQ(codec::open_protobuf(wire.text)->kind, "APIGroupDiscoveryList");
  EXPECT_EQ(wire.headers.get("etag"), json.headers.get("etag"));
  EXPECT_EQ(get("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList").code,
            406);
  EXPECT_EQ(codec::open_protobuf(get("application/vnd.kubernetes.protobuf").text)->kind,
            "APIGroupList");
}

TEST_F(ServerTest, ListsOfGroupsTakeEveryMethod) {
  const std::string as = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
  const auto get = [&](const char* path, const std::string& accept) {
    return ask("GET", path, "", "admin-token", {{"accept", accept}});
  };
  for (const char* path : {"/apis", "/apis/", "/apis/apps"}) {
    EXPECT_EQ(ask("POST", path).code, 200) << path;
    EXPECT_FALSE(get(path, "text/plain").json().has("details")) << path;
  }
  for (const char* path : {"/api", "/api/v1", "/apis/apps/v1", "/version", "/openid/v1/jwks"}) {
    EXPECT_EQ(ask("POST", path).code, 405) << path;
    EXPECT_TRUE(get(path, "text/plain").json()["details"].is_object()) << path;
  }
  EXPECT_EQ(get("/apis/", "application/json" + as).code, 406);
  EXPECT_EQ(get("/api/", "application/json" + as).code, 200);
  EXPECT_EQ(get("/version", "application/yaml").code, 406);
  EXPECT_EQ(get("/openid/v1/jwks", "application/jwk-set+json").code, 200);
  EXPECT_EQ(ask("GET", "/apis//").text, "404 page not found\n");
  EXPECT_EQ(ask("GET", "/version/x").json()["reason"].as_string(), "NotFound");
}

TEST_F(ServerTest, ServesComputedGroups) {
  server_->add_group({"metrics.k8s.io",
                      "v1beta1",
                      {{.plural = "nodes",
                        .singular = "node",
                        .kind = "NodeMetrics",
                        .list = [](std::string_view) {
                          Value node = Value::object();
                          node.edit("metadata").set("name", "n1");
                          return std::vector<Value>{node};
                        }}}});
  const std::string root = "/apis/metrics.k8s.io/v1beta1";
  EXPECT_EQ(ask("GET", root + "/nodes").json()["items"].size(), 1U);
  EXPECT_EQ(ask("GET", root + "/nodes/n1").json()["metadata"]["name"].as_string(), "n1");
  EXPECT_EQ(ask("GET", root + "/nodes/n2").code, 404);
  EXPECT_EQ(ask("GET", root).json()["resources"][0]["kind"].as_string(), "NodeMetrics");
}

TEST_F(ServerTest, NobodyTakesOverTheGroupThatSaysWhoServesWhat) {
  const std::string path = "/apis/apiregistration.k8s.io/v1/apiservices";
  EXPECT_EQ(ask("POST", path, R"({"metadata": {"name": "v1.apiregistration.k8s.io"}, "spec": {
                "group": "apiregistration.k8s.io", "version": "v1", "groupPriorityMinimum": 100,
                "versionPriority": 10, "insecureSkipTLSVerify": true,
                "service": {"name": "x", "namespace": "default"}}})")
                .code,
            201);
  EXPECT_EQ(ask("GET", path).code, 200);
  EXPECT_EQ(ask("DELETE", path + "/v1.apiregistration.k8s.io").code, 200);
}

TEST_F(ServerTest, NodesAreNotProxiedToTheServersOwnHost) {
  int i = 0;
  for (const char* address : {"127.0.0.1", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1",
                              "169.254.169.254", "fe80::1", "localhost"}) {
    const std::string name = "n" + std::to_string(++i);
    ASSERT_EQ(ask("POST", "/api/v1/nodes",
                  R"({"metadata": {"name": ")" + name +
                      R"("}, "status": {"addresses": [{"type": "InternalIP", "address": ")" +
                      address + R"("}]}})")
                  .code,
              201)
        << address;
    const Answer answer = ask("GET", "/api/v1/nodes/" + name + ":80/proxy/metrics");
    EXPECT_EQ(answer.code, 400) << address;
    EXPECT_EQ(answer.json()["message"].as_string(), "address not allowed") << address;
  }
}

TEST_F(ServerTest, UnknownFieldsWithoutNumberAreToldInPart) {
  std::string body = R"({"metadata": {"name": "many"})";
  for (int i = 0; i < 50'000; ++i) body += ", \"u" + std::to_string(i) + "\": 1";
  const Answer answer = ask("POST", "/api/v1/namespaces/default/configmaps", body + "}");
  EXPECT_EQ(answer.code, 201);
  EXPECT_EQ(answer.headers.all("warning").size(), 100U);
}

}  // namespace
}  // namespace keelson::api
