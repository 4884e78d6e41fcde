"""A mapping that cannot serve is refused by file and key, with what may have been meant."""

from pathlib import Path

import pytest

from ingestion_layer.sources.mapped.mapping import MappingError, mapping_called
from ingestion_layer.sources.names import MAPPINGS
from tests.cases.mappings import ORDERS, mapping


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "shop.transaction.v1",
            "shop.transactions.v1",
            "contract = 'shop.transactions.v1': no contract has this topic",
        ),
        ("shop.transaction.v1", "shop.transactions.v1", "did you mean 'shop.transaction.v1'?"),
        ("price: unit_price", "price: unit_prize", "columns.price: shop.transaction.v1 has no property 'unit_prize'"),
        ("price: unit_price", "price: unit_prize", "did you mean 'unit_price'?"),
        ("price: unit_price", "price: unit_price.net", "'unit_price' of shop.transaction.v1 is no map that deep"),
        ("price: unit_price", "price: quantity", "columns.price: columns.quantity becomes 'quantity' already"),
        ("kind: purchase", "country: UK", "constants.country: columns.land becomes 'country' already"),
        (", kind: purchase", "", "columns: nothing becomes 'kind', which shop.transaction.v1 requires"),
        ("  line: line\n", "", "nothing becomes 'line'"),
        ("zone: UTC", "zone: Europe/Londn", "zone: 'Europe/Londn' is no time zone; did you mean 'Europe/London'?"),
        ("{column: at}", "{column: at, format: '%Y-%Q'}", "time.format = '%Y-%Q': no format of strptime"),
        ("{column: at}", "{column: at, format: epoch}", "is none of iso, epoch_s"),
        ("{column: at}", "{colum: at}", "time.colum is no key of a mapping; did you mean 'column'?"),
        ("{column: at}", "{colum: at}", "time.column is missing"),
        ("zone: UTC", "zones: UTC", "zones is no key of a mapping; did you mean 'zone'?"),
        ("zone: UTC", "zone: UTC\ncsv: {encoding: latin-11}", "csv.encoding: 'latin-11' is no encoding"),
        ("zone: UTC", "zone: UTC\ncsv: {delimiter: ';;'}", "csv.delimiter = ';;'"),
        ("land: country", "land: {property: country, values: {no: N}}", "put it in quotes"),
        ("zone: UTC", "zone: UTC\nzone: CET", "key 'zone' is there twice"),
        ("id: [", "id: {", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in ORDERS
    with pytest.raises(MappingError) as raised:
        mapping(tmp_path, ORDERS.replace(old, new))
    assert says in str(raised.value)
    assert str(tmp_path / "orders.yaml") in str(raised.value)


def test_all_that_a_contract_says_is_told_at_once(tmp_path: Path) -> None:
    text = ORDERS.replace("price: unit_price", "price: prize").replace("text: description", "text: desc")
    with pytest.raises(MappingError) as raised:
        mapping(tmp_path, text)
    assert str(raised.value).count(str(tmp_path / "orders.yaml")) == 3  # the two, and unit_price that is required


def test_an_unknown_name_tells_the_nearest() -> None:
    with pytest.raises(MappingError, match="no mapping 'partner_inventry'; did you mean 'partner_inventory'"):
        mapping_called("partner_inventry")
    with pytest.raises(MappingError, match=r"no\.yaml: cannot be read"):
        mapping_called("no.yaml")


@pytest.mark.parametrize("name", sorted(path.stem for path in MAPPINGS.glob("*.yaml")))
def test_the_built_in_ones_fit_their_contracts(name: str) -> None:
    assert mapping_called(name).file == MAPPINGS / f"{name}.yaml"
