// For tests of this room: a registry on a store in memory, in virtual time, and an administrator's
// requests of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "base/prng.h"
#include "host/virtual_loop.h"
#include "registry/registry.h"
#include "store/store.h"

namespace keelson::registry {

class TestRegistry : public ::testing::Test {
 protected:
  // The least that a registry needs; refers to this object.
  Environment environment() {
    Environment out;
    out.now = [this] { return loop.now(); };
    out.rng = &rng;
    return out;
  }
  // On what the store holds, as at a start of the process.
  void open(Environment with, Settings settings = {}) {
    registry.reset();
    registry = std::make_unique<Registry>(*store, std::move(with), std::move(settings));
    EXPECT_TRUE(registry->start().ok());
  }
  static Identity admin() { return {"admin", "", {"system:masters", "system:authenticated"}, {}}; }
  static Request request(Verb verb, std::string group, std::string resource, std::string ns,
                         std::string name, Value body = {}) {
    Request out;
    out.verb = verb;
    out.group = std::move(group);
    out.version = "v1";
    out.resource = std::move(resource);
    out.namespace_ = std::move(ns);
    out.name = std::move(name);
    out.body = codec::JsonDocument{std::move(body), {}};
    out.identity = admin();
    return out;
  }

  host::VirtualLoop loop;
  Prng rng{1};
  std::unique_ptr<store::Store> store = store::Store::in_memory(loop);
  std::unique_ptr<Registry> registry;
};

}  // namespace keelson::registry
