#include "cli/relay.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace rondo::cli {
namespace {

/// One relay into a sink whose other end the test reads.
class Relay : public testing::Test {
 protected:
  Relay() { set_nonblocking(reader_.read_end); }

  LineRelay relay(const std::string& prefix) {
    return LineRelay(std::move(source_.read_end), prefix, sink_);
  }
  void write(std::string_view text) {
    ASSERT_EQ(::write(source_.write_end.fd(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  std::string passed() {
    std::string text;
    for (;;) {
      sink_.flush();
      char buffer[4096];
      const ssize_t count = ::read(reader_.read_end.fd(), buffer, sizeof buffer);
      if (count <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(count));
    }
  }

  Pipe source_ = make_pipe();
  Pipe reader_ = make_pipe();
  Sink sink_{reader_.write_end.fd()};
};

TEST_F(Relay, PutsThePrefixBeforeEachLine) {
  LineRelay relay = this->relay("[1] ");
  write("a\n\nbc\n");
  relay.read();
  EXPECT_EQ(passed(), "[1] a\n[1] \n[1] bc\n");
}

TEST_F(Relay, HoldsALineUntilItIsWhole) {
  LineRelay relay = this->relay("[1] ");
  write("al");
  relay.read();
  EXPECT_EQ(passed(), "");
  write("pha\nbe");
  relay.read();
  EXPECT_EQ(passed(), "[1] alpha\n");
  source_.write_end.close();
  relay.read();
  EXPECT_EQ(passed(), "[1] be\n");
  EXPECT_FALSE(relay.is_open());
}

TEST_F(Relay, PassesProgressBarsWhileTheyMove) {
  LineRelay relay = this->relay("[1] ");
  write("10%\r20%\r30%");
  relay.read();
  EXPECT_EQ(passed(), "[1] 10%\r[1] 20%\r");
  write("\r\nend\r\n");
  relay.read();
  EXPECT_EQ(passed(), "[1] 30%\r\n[1] end\r\n");
}

TEST_F(Relay, WithoutAPrefixBytesStayAsTheyAre) {
  LineRelay relay = this->relay("");
  write(std::string_view("a\0b\nlast", 8));
  source_.write_end.close();
  relay.read();
  EXPECT_EQ(passed(), std::string("a\0b\nlast", 8));
}

TEST_F(Relay, AReaderThatStopsHoldsTheRanksBackAndLosesNothing) {
  LineRelay relay = this->relay("");
  set_nonblocking(source_.write_end);
  const std::string line = std::string(999, 'x') + "\n";
  std::size_t written = 0;
  for (int idle = 0; idle < 3;) {
    if (::write(source_.write_end.fd(), line.data(), line.size()) == 1000) {
      written += line.size();
      idle = 0;
    } else {
      relay.read();
      sink_.flush();
      ++idle;
    }
  }
  EXPECT_TRUE(sink_.is_full());
  EXPECT_FALSE(relay.may_read());
  EXPECT_LT(written, std::size_t{4} << 20) << "memory has a bound";
  source_.write_end.close();
  std::size_t read = 0;
  while (relay.is_open() || sink_.has_waiting()) {
    relay.read();
    read += passed().size();
  }
  EXPECT_EQ(read, written);
}

TEST_F(Relay, ALineWithoutEndIsPassedInParts) {
  LineRelay relay = this->relay("[1] ");
  set_nonblocking(source_.write_end);
  const std::string part(50'000, 'x');
  std::size_t letters = 0;
  for (int i = 0; i < 60; ++i) {
    write(part);
    relay.read();
    for (const char letter : passed()) letters += letter == 'x';
  }
  EXPECT_GE(letters, std::size_t{1} << 20);
}

TEST_F(Relay, AReaderThatIsGoneIsNoticed) {
  ::signal(SIGPIPE, SIG_IGN);
  reader_.read_end.close();
  sink_.put("x\n");
  sink_.flush();
  EXPECT_TRUE(sink_.is_broken());
  EXPECT_FALSE(sink_.has_waiting());
}

}  // namespace
}  // namespace rondo::cli
