// Rules of kinds, one or two lines each; the recordings hold the wider set.
#include <gtest/gtest.h>

#include "codec/json.h"
#include "model/scheme.h"
#include "model/types.h"

namespace keelson::model {
namespace {

using codec::Value;

Value json(std::string_view text) {
  return *codec::parse_json(text);
}

const TypeTable& types() {
  static const TypeTable table;
  return table;
}

// "field: message" of each error.
std::vector<std::string> texts(const FieldErrors& errors) {
  std::vector<std::string> out;
  for (const FieldError& error : errors.list()) out.push_back(error.text());
  return out;
}

using Texts = std::vector<std::string>;

Texts on_create(std::string_view resource, std::string_view text) {
  return texts(validate_create(*types().storage(resource), json(text)));
}

Texts on_status(std::string_view resource, std::string_view metadata, std::string_view rest,
                std::string_view status) {
  const std::string start = R"({"metadata":)" + std::string(metadata) + std::string(rest);
  const Value before = json(start + "}");
  const Value after = json(start + R"(,"status":)" + std::string(status) + "}");
  return texts(validate_status_update(*types().storage(resource), after, before));
}

constexpr std::string_view kMeta =
    R"({"name":"x","namespace":"n","uid":"u","resourceVersion":"1"})";

TEST(Names, ABudgetMayHaveAnyThatFitsAPath) {
  constexpr std::string_view budgets = "poddisruptionbudgets.policy";
  EXPECT_EQ(on_create(budgets, R"({"metadata":{"name":"Big Name","namespace":"n"},"spec":{}})"),
            Texts());
  EXPECT_EQ(on_create(budgets, R"({"metadata":{"name":"a/b","namespace":"n"},"spec":{}})"),
            Texts({"metadata.name: Invalid value: \"a/b\": may not contain '/'"}));
}

TEST(Names, FollowFromWhatADefinitionDefinesWhereThereIsOne) {
  const Texts errors = on_create(
      "customresourcedefinitions.apiextensions.k8s.io",
      R"({"metadata":{},"spec":{"group":"a.com","names":{"plural":"p"},"scope":"Cluster"}})");
  ASSERT_FALSE(errors.empty());
  for (const std::string& error : errors)
    EXPECT_EQ(error.find("must be spec.names.plural"), std::string::npos) << error;
}

TEST(Finalizers, NeedNoDomainWhereTheCoreRulesAreNotAsked) {
  EXPECT_EQ(on_create("leases.coordination.k8s.io",
                      R"({"metadata":{"name":"a","namespace":"n","finalizers":["x"]},"spec":{}})"),
            Texts());
  EXPECT_EQ(
      on_create("configmaps", R"({"metadata":{"name":"a","namespace":"n","finalizers":["x"]}})"),
      Texts({"metadata.finalizers[0]: Invalid value: \"x\": name is neither a standard "
             "finalizer name nor is it fully qualified"}));
}

TEST(Owners, HaveAGroupAndAVersionAtMost) {
  const Texts errors =
      on_create("configmaps", R"({"metadata":{"name":"a","namespace":"n","ownerReferences":[)"
                              R"({"apiVersion":"g/v1/x","kind":"K","name":"o","uid":"u"}]}})");
  EXPECT_EQ(errors, Texts({"metadata.ownerReferences.apiVersion: Invalid value: \"g/v1/x\": "
                           "version must not be empty"}));
}

TEST(Conditions, HaveATypeAStatusAReasonAndATime) {
  EXPECT_EQ(on_status("poddisruptionbudgets.policy", kMeta, "",
                      R"({"conditions":[{"type":"A","status":"True","reason":"1"}]})"),
            Texts({"status.conditions[0].lastTransitionTime: Required value",
                   "status.conditions[0].reason: Invalid value: \"1\": a condition reason must "
                   "start with alphabetic character, optionally followed by a string of "
                   "alphanumeric characters or '_,:', and must end with an alphanumeric character "
                   "or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  "
                   "or 'ReasonA:ReasonB', regex used for validation is "
                   "'[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"}));
}

TEST(ClaimStatus, IsAboutRequestsAndAllocatedDevices) {
  constexpr std::string_view claims = "resourceclaims.resource.k8s.io";
  constexpr std::string_view spec = R"(,"spec":{"devices":{"requests":[{"name":"r"}]}})";
  EXPECT_EQ(on_status(claims, kMeta, spec,
                      R"({"allocation":{"devices":{"results":[)"
                      R"({"request":"q","driver":"d","pool":"p","device":"x"}]}}})"),
            Texts({"status.allocation.devices.results[0].request: Invalid value: \"q\": must be "
                   "the name of a request in the claim or the name of a request and a subrequest "
                   "separated by '/'"}));
  EXPECT_EQ(on_status(claims, kMeta, spec,
                      R"({"devices":[{"driver":"d","pool":"p","device":"x"}],)"
                      R"("reservedFor":[{"resource":"pods","name":"a","uid":"1"}]})"),
            Texts({"status.devices[0]: Invalid value: {\"Driver\":\"d\",\"Pool\":\"p\","
                   "\"Device\":\"x\",\"ShareID\":\"\"}: must be an allocated device in the claim",
                   "status.reservedFor: Forbidden: may not be specified when `allocated` is not "
                   "set"}));
}

TEST(Templates, CarryLabelsAndAnnotationsAlone) {
  const Texts errors = on_create(
      "resourceclaimtemplates.resource.k8s.io",
      R"({"metadata":{"name":"a","namespace":"n"},"spec":{"metadata":{"uid":"u","generation":1},)"
      R"("spec":{"devices":{}}}})");
  EXPECT_EQ(errors, Texts({"spec.metadata.uID: Forbidden: cannot be set",
                           "spec.metadata.generation: Forbidden: cannot be set"}));
}

TEST(AppArmor, AnAnnotationBecomesAFieldAndSaysSo) {
  Value pod =
      json(R"({"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/c":)"
           R"("runtime/default"}},"spec":{"containers":[{"name":"c"}]}})");
  EXPECT_EQ(adopt_app_armor(pod),
            Texts({"metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]: "
                   "deprecated since v1.30; use the \"appArmorProfile\" field instead"}));
  EXPECT_EQ(pod.at("spec.containers")[0]["securityContext"]["appArmorProfile"]["type"],
            Value("RuntimeDefault"));
  EXPECT_EQ(adopt_app_armor(pod), Texts());
}

TEST(ClaimSources, OfOtherKindsAreDroppedUnlessTheReferenceNamesThem) {
  const Resource& claims = *types().storage("persistentvolumeclaims");
  Value claim = json(R"({"metadata":{},"spec":{"dataSource":{"kind":"K","name":"a"}}})");
  prepare_create(claims, claim, Instant());
  EXPECT_TRUE(claim["spec"].empty());
  claim = json(R"({"metadata":{},"spec":{"dataSourceRef":{"kind":"K","name":"a"}}})");
  prepare_create(claims, claim, Instant());
  EXPECT_EQ(claim["spec"]["dataSource"], json(R"({"kind":"K","name":"a"})"));
  claim =
      json(R"({"metadata":{},"spec":{"dataSourceRef":{"kind":"K","name":"a","namespace":"o"}}})");
  prepare_create(claims, claim, Instant());
  EXPECT_TRUE(claim["spec"].empty());
}

}  // namespace
}  // namespace keelson::model
