#include "bootstrap/wire.hpp"

#include <gtest/gtest.h>

#include <random>

namespace rondo::wire {
namespace {

Hello example() {
  Hello hello;
  hello.rank = 3;
  hello.size = 5;
  hello.patience = std::chrono::milliseconds(60'000);
  hello.key = key_of("job");
  hello.incarnation = 0x0123456789abcdef;
  hello.pid = 4711;
  hello.port = 40'000;
  hello.locality = 0xfedcba9876543210;
  hello.door = 0x1122334455667788;
  hello.address = "192.168.1.7";
  hello.host = "node7";
  hello.agreement = "algorithm=ring\nradix=2\n";
  return hello;
}

std::optional<Hello> decode(const Bytes& bytes) {
  if (bytes.size() < hello_header_bytes) return std::nullopt;
  const auto header = std::span(bytes).first<hello_header_bytes>();
  std::optional<Hello> hello = decode_header(header);
  const std::optional<std::size_t> body = body_bytes(header);
  if (!hello || !body || bytes.size() != hello_header_bytes + *body) return std::nullopt;
  if (!decode_body(bytes, *hello)) return std::nullopt;
  return hello;
}

TEST(Wire, AHelloComesBack) {
  const Hello hello = example();
  const std::optional<Hello> back = decode(encode(hello));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->version, protocol_version);
  EXPECT_EQ(back->rank, hello.rank);
  EXPECT_EQ(back->size, hello.size);
  EXPECT_EQ(back->patience, hello.patience);
  EXPECT_TRUE(same_bits(back->key, hello.key));
  EXPECT_EQ(back->incarnation, hello.incarnation);
  EXPECT_EQ(back->pid, hello.pid);
  EXPECT_EQ(back->port, hello.port);
  EXPECT_EQ(back->locality, hello.locality);
  EXPECT_EQ(back->door, hello.door);
  EXPECT_EQ(back->address, hello.address);
  EXPECT_EQ(back->host, hello.host);
  EXPECT_EQ(back->agreement, hello.agreement);
}

TEST(Wire, TextsThatAreTooLongAreRefusedByTheirHeader) {
  Hello hello = example();
  hello.agreement = std::string(agreement_bytes_most, 'a');
  EXPECT_TRUE(decode(encode(hello)).has_value());
  hello.agreement += "a";
  EXPECT_FALSE(decode(encode(hello)).has_value());
}

TEST(Wire, WhatDoesNotPrintNeverReachesATerminal) {
  Hello hello = example();
  hello.host = "a\x1b[2Jb";
  EXPECT_EQ(decode(encode(hello))->host, "a?[2Jb");
}

TEST(Wire, AnAddressIsNumericOrEmpty) {
  Hello hello = example();
  for (const char* address : {"", "::1", "fe80::1%eth0"}) {
    hello.address = address;
    EXPECT_TRUE(decode(encode(hello)).has_value()) << address;
  }
  for (const char* address : {"node7", "1.2.3", "1.2.3.4:5"}) {
    hello.address = address;
    EXPECT_FALSE(decode(encode(hello)).has_value()) << address;
  }
}

TEST(Wire, EveryCutAndEveryFlippedByteIsSurvived) {
  const Bytes whole = encode(example());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(decode(Bytes(whole.begin(), whole.begin() + static_cast<long>(length))));
  }
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes damaged = whole;
      damaged[i] ^= static_cast<std::byte>(1 << bit);
      (void)decode(damaged);
      if (i < 8) {
        EXPECT_FALSE(decode(damaged)) << "magic";
      }
    }
  }
}

TEST(Wire, KeysTellJobsApart) {
  EXPECT_TRUE(same_bits(key_of("slurm 77.1"), key_of("slurm 77.1")));
  EXPECT_FALSE(same_bits(key_of("slurm 77.1"), key_of("slurm 77.2")));
  EXPECT_FALSE(same_bits(key_of(""), key_of("a")));
  for (std::size_t i = 0; i < 16; ++i) {
    Key key = key_of("job");
    key[i] ^= std::byte{1};
    EXPECT_FALSE(same_bits(key, key_of("job"))) << i;
  }
}

TEST(Wire, AWorldComesBack) {
  Token token = {};
  token[15] = std::byte{7};
  const std::vector<process::Member> members = {{"127.0.0.1", 1, "a", 10, 3, 4},
                                                {"::1", 65535, "b", 20, 5, 6}};
  const Bytes bytes = encode_world(token, members);
  const auto header = decode_reply(std::span(bytes).first<reply_header_bytes>());
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->kind, ReplyKind::world);
  EXPECT_EQ(header->length, bytes.size() - reply_header_bytes);
  EXPECT_LE(header->length, reply_bytes_most(ReplyKind::world, 2));
  Token token_back;
  std::vector<process::Member> back;
  const auto body = std::span(bytes).subspan(reply_header_bytes);
  ASSERT_TRUE(decode_world(body, 2, token_back, back));
  EXPECT_EQ(token_back, token);
  EXPECT_EQ(back[1].address, "::1");
  EXPECT_EQ(back[1].port, 65535);
  EXPECT_EQ(back[1].host, "b");
  EXPECT_EQ(back[1].pid, 20);
  EXPECT_EQ(back[1].locality, 5u);
  EXPECT_EQ(back[1].door, 6u);
  EXPECT_FALSE(decode_world(body, 1, token_back, back));
  EXPECT_FALSE(decode_world(body, 3, token_back, back));
  EXPECT_FALSE(decode_world(body.first(body.size() - 1), 2, token_back, back));
}

TEST(Wire, ARefusalIsCutToItsLimit) {
  const Bytes bytes = encode_refusal(std::string(100'000, 'x'));
  EXPECT_EQ(bytes.size(), reply_header_bytes + refusal_bytes_most);
}

TEST(Wire, RandomBytesAreNoHello) {
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    Bytes bytes(hello_header_bytes + 100);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    ASSERT_FALSE(decode_header(std::span(bytes).first<hello_header_bytes>()));
  }
}

}  // namespace
}  // namespace rondo::wire
