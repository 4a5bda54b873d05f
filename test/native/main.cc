#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <csignal>

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // As Node does.
  return doctest::Context(count, arguments).run();
}
