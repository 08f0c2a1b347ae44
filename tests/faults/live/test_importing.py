"""People as files: in their order, and never a file of leavers alone, which roster would rightly hold."""

import csv
import io

from tests.faults.live.given import facts
from tests.faults.live.importing import files


def test_every_file_holds_somebody_who_stays() -> None:
    for seed in range(20):
        people = [fact for fact in facts(seed) if fact.type.startswith("people.") and fact.data["tenant_id"] == "acme"]
        gone = {fact.data["person_id"] for fact in people if fact.data["status"] == "departed"}
        told = files(people)

        assert [after_s for after_s, _ in told] == sorted(after_s for after_s, _ in told)
        for _, text in told:
            assert {row["person_id"] for row in csv.DictReader(io.StringIO(text))} - gone
