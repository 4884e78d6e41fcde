"""Flows as files, and that those of the platform hold together."""

import hashlib
import json
from pathlib import Path

import pytest

from ingestion_layer.nifi.definitions import FlowFileError, flows, marked_digest

FLOWS = {flow.name: flow for flow in flows()}


def test_an_installed_flow_tells_which_file_it_is_of(tmp_path: Path) -> None:
    text = json.dumps({"flowContents": {"name": "mine", "comments": "What it is for.", "processors": []}})
    (tmp_path / "stock.json").write_text(text, encoding="utf-8")
    (flow,) = flows(tmp_path)
    group = flow.definition["flowContents"]
    assert (group["name"], group["comments"].splitlines()[0]) == ("stock", "What it is for.")
    assert marked_digest(group["comments"]) == hashlib.sha256(text.encode()).hexdigest()


def test_a_group_made_by_hand_tells_none() -> None:
    assert marked_digest("sha256:0123 is what I wrote here") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"flowContents": {}}', '{"processors": []}'])
def test_a_file_that_is_no_flow_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text, encoding="utf-8")
    with pytest.raises(FlowFileError, match=r"broken\.json: (not valid JSON|no flow definition)"):
        flows(tmp_path)


@pytest.mark.parametrize("name", FLOWS)
def test_every_connection_leads_from_one_part_of_its_flow_to_another(name: str) -> None:
    group = FLOWS[name].content["flowContents"]
    parts = {processor["identifier"] for processor in group["processors"]}
    ends = [connection[end] for connection in group["connections"] for end in ("source", "destination")]
    assert {end["id"] for end in ends} <= parts
    identifiers = [part["identifier"] for kind in ("processors", "connections") for part in group[kind]]
    assert len(identifiers) == len(set(identifiers))


def test_a_file_that_the_broker_did_not_take_waits_and_is_tried_again() -> None:
    group = FLOWS["partner_files"].content["flowContents"]
    (publisher,) = [processor for processor in group["processors"] if processor["type"] == "PublishFile"]
    back = [
        connection
        for connection in group["connections"]
        if connection["source"]["id"] == publisher["identifier"] == connection["destination"]["id"]
    ]
    assert [connection["selectedRelationships"] for connection in back] == [["failure"]]
    assert back[0]["flowFileExpiration"] == "0 sec"
    assert "failure" not in publisher["autoTerminatedRelationships"]
    assert publisher["retriedRelationships"] == ["failure"]  # with a pause that grows, before it goes back to the queue
