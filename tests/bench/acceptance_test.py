"""Tests what bench/hosts concludes from its measurements, which needs no network:
acceptance_test.py HOSTS_FOLDER.
"""

import os
import sys
import unittest

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import acceptance  # noqa: E402
import hosts  # noqa: E402
import network  # noqa: E402
import stream  # noqa: E402


def measured(share, time_us=1000, link_bps=1e9):
    return {"link_payload_bps": link_bps, "payload_alone_bps": 1e9,
            "payload_together_bps": [9e8, 8e8], "time_us": time_us, "bus_rate_bps": share * 1e9,
            "share_of_payload": share, "cores_busy": 0.5}


class Verdict(unittest.TestCase):
    share = acceptance.Scenario("share", least_share_of_payload=0.95)
    times = acceptance.Scenario("times", most_times_first=1.4)

    def misses(self, scenario, rounds, first_rounds=None):
        return acceptance.judge(scenario, rounds, first_rounds or rounds)["misses"]

    def test_share_of_the_payload_rate(self):
        self.assertEqual(self.misses(self.share, [measured(0.96)]), [])
        self.assertIn("94.0% of the payload rate", self.misses(self.share, [measured(0.94)])[0])

    def test_times_the_first_scenario(self):
        first = [measured(0.9, 1000), measured(0.9, 1100)]
        good = [measured(0.5, 1390), measured(0.5, 1530)]
        self.assertEqual(self.misses(self.times, good, first), [])
        # Each round has to keep to it, against the same round of the first.
        bad = [measured(0.5, 1390), measured(0.5, 1551)]
        self.assertIn("1.41 times as long", self.misses(self.times, bad, first)[0])

    def test_the_median_decides(self):
        rounds = [measured(share) for share in (0.5, 0.96, 0.99)]
        self.assertEqual(self.misses(self.share, rounds), [])
        rounds = [measured(share) for share in (0.5, 0.94, 0.99)]
        self.assertEqual(len(self.misses(self.share, rounds)), 1)

    def test_a_link_that_the_stream_cannot_fill_proves_nothing(self):
        self.assertEqual(self.misses(self.share, [measured(0.99, link_bps=1.1e9)]), [])
        misses = self.misses(self.share, [measured(0.99, link_bps=1.2e9)])
        self.assertIn("no valid measurement", misses[0])

    def test_without_a_bound_nothing_is_missed(self):
        scenario = acceptance.Scenario("reported")
        self.assertEqual(self.misses(scenario, [measured(0.1, 9000)], [measured(0.1, 1000)]), [])

    def test_the_slow_host(self):
        equal, slow = acceptance.scenarios(4)[:2]
        self.assertEqual(equal.rates(4, 10**9), [10**9] * 4)
        self.assertEqual(slow.rates(4, 10**9), [10**9] * 3 + [5 * 10**8])


class Words(unittest.TestCase):
    def test_rates(self):
        self.assertEqual(network.parse_rate("100kbit"), 100_000)
        self.assertEqual(network.parse_rate("2.5gbit"), 2_500_000_000)
        for text in ("", "1", "gbit", "-1gbit", "1gbps", "1kbit", "1 gbit"):
            with self.assertRaises(network.Failure, msg=text):
                network.parse_rate(text)

    def test_slow_hosts(self):
        self.assertEqual(hosts.rates_of(3, "1gbit", ["1=500mbit"]), [10**9, 5 * 10**8, 10**9])
        for text in ("3=1gbit", "x=1gbit", "1", "1=fast", "-1=1gbit"):
            with self.assertRaises(network.Failure, msg=text):
                hosts.rates_of(3, "1gbit", [text])


class Ownership(unittest.TestCase):
    def test_own_namespaces_have_an_owner(self):
        self.assertTrue(network.is_owned(network.own_prefix() + "switch"))

    def test_another_process_with_the_same_pid_is_no_owner(self):
        pid = os.getpid()
        earlier = network.start_time(pid) - 1
        self.assertFalse(network.is_owned(f"{network.PREFIX}{pid}-{earlier}-0"))

    def test_nobody_is_no_owner(self):
        self.assertFalse(network.is_owned(f"{network.PREFIX}4194305-1-0"))


class Stream(unittest.TestCase):
    def test_the_beginning_does_not_count(self):
        samples = [(0.0, 0), (1.0, 0), (2.0, 1000), (4.0, 3000)]
        self.assertEqual(stream.steady_rate(samples), 8000.0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
