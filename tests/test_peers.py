"""When a silent client is asked, and when it is taken for dead."""

from feeds.connections.peers import Peer, Receipts, Verdict

BEAT = 5.0


def looks(peer: Peer, *times: float, unread: int = 0) -> list[Verdict]:
    return [peer.look(unread, now, BEAT) for now in times]


def test_who_was_heard_isnt_asked() -> None:
    peer = Peer(100.0)
    assert looks(peer, 100.0, 104.9) == [Verdict.WELL, Verdict.WELL]
    peer.heard(104.9)
    assert looks(peer, 109.8) == [Verdict.WELL]


def test_who_is_silent_is_asked_once_and_dead_without_an_answer() -> None:
    peer = Peer(0.0)
    assert looks(peer, 5.0, 6.0, 9.9, 10.0) == [
        Verdict.PING,
        Verdict.WELL,
        Verdict.WELL,
        Verdict.DEAD,
    ]


def test_an_answer_of_any_kind_will_do() -> None:
    peer = Peer(0.0)
    assert looks(peer, 5.0) == [Verdict.PING]
    peer.heard(9.0)
    assert looks(peer, 10.0, 13.9, 14.0) == [Verdict.WELL, Verdict.WELL, Verdict.PING]


def test_who_is_behind_has_not_seen_the_question_yet() -> None:
    """It is asked when it has read everything, and has a whole heartbeat to answer from then on."""
    peer = Peer(0.0)
    assert looks(peer, 5.0) == [Verdict.PING]
    assert looks(peer, 6.0, 60.0, unread=1) == [Verdict.WELL, Verdict.WELL]
    assert looks(peer, 61.0, 65.9, 66.0) == [Verdict.PING, Verdict.WELL, Verdict.DEAD]


def test_who_waits_for_an_answer_isnt_heard_and_isnt_dead_for_that() -> None:
    """Its pong would stay unread until the answer is made, however many others are answered before."""
    peer = Peer(0.0)
    peer.answered = False
    assert looks(peer, 5.0, 10.0, 60.0) == [Verdict.WELL] * 3
    peer.answered = True
    peer.heard(61.0)
    assert looks(peer, 65.9, 66.0, 71.0) == [Verdict.WELL, Verdict.PING, Verdict.DEAD]


# Who can't be asked.


def test_who_owes_nothing_is_well_however_silent() -> None:
    receipts = Receipts()
    assert [receipts.missing(False, 0.0, now) for now in (1.0, 100.0)] == [0.0, 0.0]


def test_what_is_outstanding_counts_from_when_it_is_seen() -> None:
    """However long ago the peer was heard: it had nothing to say."""
    receipts = Receipts()
    assert [receipts.missing(True, 0.0, now) for now in (50.0, 52.0, 55.0)] == [0.0, 2.0, 5.0]


def test_whoever_acknowledges_anything_has_time_anew() -> None:
    receipts = Receipts()
    assert receipts.missing(True, 0.0, 50.0) == 0.0
    assert receipts.missing(True, 51.0, 52.0) == 0.0
    assert receipts.missing(True, 51.0, 56.0) == 4.0
    assert receipts.missing(False, 57.0, 57.0) == 0.0
    assert receipts.missing(True, 57.0, 60.0) == 0.0
    receipts.forget()
    assert receipts.missing(True, 57.0, 70.0) == 0.0
