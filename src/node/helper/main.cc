// The helper program: everything of Keelson that lives beside the engine or inside containers, in
// one small static binary, so that it starts in a millisecond, needs no libraries and costs
// little memory. It is embedded in the engine (helper_image.cc).
#include <cstdio>
#include <string_view>

#include "node/keeper/keeper.h"
#include "node/stand_in/stand_in.h"

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "keeper") return keelson::node::keeper_main(argc - 1, argv + 1);
  if (mode == "stand-in") return keelson::node::stand_in_main(argc - 1, argv + 1);
  std::fputs("usage: keelson-helper keeper|stand-in ...\n", stderr);
  return 2;
}
