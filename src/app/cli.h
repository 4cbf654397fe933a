// The command line: what each command is called, its options and their help. Parses, then calls a
// function of commands.h.
#pragma once

namespace keelson::app {
int run_command_line(int argc, char** argv);
}
