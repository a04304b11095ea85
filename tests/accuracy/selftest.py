# SPDX-License-Identifier: Apache-2.0
"""Proves that the judge sees each kind of mistake: a lab that never finds one says nothing."""
import unittest

from lab import rig, truth
from lab.rows import calls_of
from harness.spans import CLIENT, SERVER, Span

ASKED = {"m0": "r", "m1": "s"}


def span(kind, path, span_id, parent="", method="", trace="t", end="2"):
    pairs = {"url.path" if kind == SERVER else "url.full": path if kind == SERVER else f"http://127.0.0.1:1{path}"}
    if parent:
        pairs["sonde.link.method"] = method
    raw = {"name": "GET", "kind": kind, "traceId": trace, "spanId": span_id, "parentSpanId": parent, "startTimeUnixNano": "1",
           "endTimeUnixNano": end, "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in pairs.items()]}
    return Span(raw, {}, {})


SERVERS = [span(SERVER, "/r/m0", "s0"), span(SERVER, "/s/m1", "s1")]


def judged(*spans):
    return truth.Verdict([*SERVERS, *spans], ASKED, calls_of(["r", "s"])).figures()


class Judge(unittest.TestCase):
    def test_all_right(self):
        f = judged(span(CLIENT, "/b/m0/a", "c0", "s0", "thread"), span(CLIENT, "/b/m1/a", "c1", "s1", "thread"),
                   span(CLIENT, "/b/m1/b", "c2", "s1", "answer"))
        self.assertEqual((f["precision"], f["recall"], f["unseen"], f["missed"], f["servers_unseen"]), (100, 100, 0, 0, 0))
        self.assertEqual(f["rules"], {"thread": {"right": 2, "wrong": 0}, "answer": {"right": 1, "wrong": 0}})

    def test_other_request(self):
        f = judged(span(CLIENT, "/b/m0/a", "c0", "s1", "thread"))
        self.assertEqual((f["precision"], f["wrong"], f["missed"], f["unseen"]), (0, 1, 3, 2))
        self.assertEqual(f["modes"]["r"], {"calls": 1, "right": 0, "wrong": 1})

    def test_no_parent(self):
        f = judged(span(CLIENT, "/b/m0/a", "c0"))
        self.assertEqual((f["precision"], f["recall"], f["wrong"], f["linked"]), (None, 0, 0, 0))

    def test_background(self):
        f = judged(span(CLIENT, "/b/bg/1", "c0", "s1", "thread"), span(CLIENT, "/b/bg/2", "c1"))
        self.assertEqual((f["background"], f["background_linked"], f["wrong"]), (2, 1, 1))

    def test_answer_of_another_request(self):
        self.assertEqual(judged(span(CLIENT, "/b/m0/a", "c0", end="1"))["instant"], 1)

    def test_parent_that_is_not_there(self):
        self.assertEqual(judged(span(CLIENT, "/b/m0/a", "c0", "gone", "thread"))["dangling"], 1)

    def test_parent_of_the_wrong_kind(self):
        f = judged(span(CLIENT, "/b/m0/a", "c0"), span(CLIENT, "/b/m0/a", "c1", "c0", "thread"))
        self.assertEqual((f["right"], f["wrong"]), (0, 1))

    def test_warm_up_counts_for_precision_only(self):
        warm = span(SERVER, "/r/w0", "s2")
        f = judged(warm, span(CLIENT, "/b/w0/a", "c0", "s2", "thread"), span(CLIENT, "/b/w0/a", "c1", "s0", "thread"))
        self.assertEqual((f["right"], f["wrong"], f["calls"]), (0, 1, 3))

    def test_ends_of_different_exchanges(self):
        f = judged(span(CLIENT, "/b/m0/a", "c0", "s0", "thread"), span(SERVER, "/b/m1/a", "s2", "c0", "connection"))
        self.assertEqual((f["wrong"], f["joined"]), (1, 0))

    def test_chain(self):
        asked = {"m0": "r"}
        road = [span(SERVER, "/r/m0", "1"), span(CLIENT, "/b/m0/a", "2", "1"), span(SERVER, "/b/m0/a", "3", "2"),
                span(CLIENT, "/b/m0/a", "4", "3"), span(SERVER, "/b/m0/a", "5", "4")]
        self.assertEqual(truth.whole_traces(road, asked, calls_of(["r"])), 1)
        torn = road[:4] + [span(SERVER, "/b/m0/a", "5", trace="u")]
        self.assertEqual(truth.whole_traces(torn, asked, calls_of(["r"])), 0)

    def test_service_that_mixes_up_its_calls(self):
        of_mode = calls_of(["r", "s"])
        rig.verify_service({"/b/m0/a": 1, "/b/m1/a": 1, "/b/m1/b": 1, "/b/bg/0": 3}, ASKED, of_mode)
        for calls in ({"/b/m0/a": 2, "/b/m1/a": 1, "/b/m1/b": 1}, {"/b/m0/a": 1, "/b/m1/a": 1},
                      {"/b/m0/a": 1, "/b/m1/a": 1, "/b/m1/b": 1, "/b/bg/0/traceparent": 1}):
            with self.assertRaises(AssertionError):
                rig.verify_service(calls, ASKED, of_mode)


if __name__ == "__main__":
    unittest.main()
