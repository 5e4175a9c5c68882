"""Labelled pictures: what folders and lists mean, what is refused at which line, and that trainers never see `test`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lineside.core.errors import ConfigError
from lineside.core.identity import sha256_of_file
from lineside.train.dataset import LabelledPicture, SplitOrder, TrainingSet, read_dataset


def touched(folder: Path, *names: str) -> Path:
    """Files that need no pixels: nothing is decoded. Each has bytes of its own."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def listed(folder: Path, *rows: str, header: str = "file,split,label,class,mask,group") -> Path:
    (folder / "split.csv").write_text("\n".join((header, *rows)) + "\n")
    return folder


def numbered(label: str, count: int) -> list[str]:
    return [f"{label}/{index:03}.png" for index in range(count)]


def test_folders_say_good_defect_class_and_mask(tmp_path: Path) -> None:
    touched(tmp_path, *numbered("good", 4), "defect/dent/a.jpg", "defect/b.png", "masks/dent/a.png")

    pictures = {picture.name: picture for picture in read_dataset(tmp_path).pictures}

    assert pictures["good/000.png"].good
    assert ("dent", tmp_path / "masks/dent/a.png") == (
        pictures["defect/dent/a.jpg"].class_name,
        pictures["defect/dent/a.jpg"].mask,
    )
    assert ("defect", None) == (pictures["defect/b.png"].class_name, pictures["defect/b.png"].mask)


def test_a_folder_of_nothing_but_pictures_is_all_good(tmp_path: Path) -> None:
    touched(tmp_path, "a.png", "b.jpg", "notes.txt")

    assert ["a.png", "b.jpg"] == [picture.name for picture in read_dataset(tmp_path).pictures if picture.good]


def test_a_list_says_everything_in_its_own_order(tmp_path: Path) -> None:
    touched(tmp_path, "z.png", "a.png", "m/a.png")
    listed(tmp_path, "z.png,train,good,,,spot1", "a.png,val,defect,pit,m/a.png,spot2")

    first, second = read_dataset(tmp_path).pictures

    assert ("z.png", "train", True, "spot1") == (first.name, first.split, first.good, first.group)
    assert ("val", "pit", tmp_path / "m/a.png") == (second.split, second.class_name, second.mask)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("b.png,train,good,,,", "line 3: there is no file 'b.png'"),
        ("a.png,train,good,,,", "line 3: a.png is listed in line 2 already"),
        ("../a.png,train,good,,,", "line 3: file '../a.png' lies outside the folder"),
        ("c.png,exam,good,,,", "line 3: split 'exam'"),
        ("c.png,train,fine,,,", "line 3: label 'fine'"),
        ("c.png,train,good,,masks/c.png,", "line 3: there is no mask 'masks/c.png'"),
        ("c.png,train,good,pit,,", "line 3: a good part with a class"),
        ("c.png,test,good,,,spot1", "line 3: group 'spot1' in test, and in train in line 2"),
        ("c.png,train", "line 3: more or fewer values"),
    ],
)
def test_a_fault_of_the_list_is_told_with_its_line(tmp_path: Path, row: str, what: str) -> None:
    touched(tmp_path, "a.png", "c.png")
    listed(tmp_path, "a.png,train,good,,,spot1", row)

    with pytest.raises(ConfigError) as caught:
        read_dataset(tmp_path)

    assert what in caught.value.what


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    listed(touched(tmp_path, "a.png"), *(f"{index}.png,train,good,,," for index in range(12)))

    with pytest.raises(ConfigError, match=r"line 2: .*line 11: .*and 2 more"):
        read_dataset(tmp_path)


def test_a_list_without_its_columns_is_refused(tmp_path: Path) -> None:
    listed(touched(tmp_path, "a.png"), "a.png,train", header="file,split")

    with pytest.raises(ConfigError, match=r"split.csv:1: columns file, split; expected label among them"):
        read_dataset(tmp_path)


def test_a_mask_without_its_picture_is_refused(tmp_path: Path) -> None:
    touched(tmp_path, "good/a.png", "defect/dent/b.png", "masks/dent/c.png")

    with pytest.raises(ConfigError, match=r"masks without a picture: .*c.png"):
        read_dataset(tmp_path)


def test_a_split_is_drawn_by_seed_and_is_the_same_each_time(tmp_path: Path) -> None:
    touched(tmp_path, *numbered("good", 50), *numbered("defect/dent", 10))

    one, again, other = (
        [picture.split for picture in read_dataset(tmp_path, SplitOrder(seed=seed)).pictures] for seed in (1, 1, 2)
    )

    assert one == again != other
    assert {"train": 30, "val": 10, "test": 10} == Counter(one[:50])
    assert {"train": 6, "val": 2, "test": 2} == Counter(one[50:])  # dealt by class


def test_pictures_of_one_part_stay_on_one_side(tmp_path: Path) -> None:
    touched(tmp_path, *(f"good/part{part:02}_shot{shot}.png" for part in range(20) for shot in range(3)))

    pictures = read_dataset(tmp_path, SplitOrder(group_pattern="^part([0-9]+)")).pictures

    sides = {(picture.group, picture.split) for picture in pictures}
    assert 20 == len(sides) == len({group for group, _ in sides})


def test_the_same_picture_twice_stays_on_one_side(tmp_path: Path) -> None:
    touched(tmp_path, *numbered("good", 40))
    for index in range(20):
        (tmp_path / f"good/{index + 20:03}.png").write_bytes((tmp_path / f"good/{index:03}.png").read_bytes())

    split = {picture.name: picture.split for picture in read_dataset(tmp_path).pictures}

    assert all(split[f"good/{index:03}.png"] == split[f"good/{index + 20:03}.png"] for index in range(20))


def test_a_name_that_the_group_pattern_does_not_match_is_refused(tmp_path: Path) -> None:
    touched(tmp_path, "good/a1.png", "good/b.png")

    with pytest.raises(ConfigError, match=r"good/b.png: no match"):
        read_dataset(tmp_path, SplitOrder(group_pattern="[0-9]+"))


def test_shares_that_leave_nothing_to_train_on_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="less than 1 together"):
        read_dataset(touched(tmp_path, "good/a.png"), SplitOrder(val_share=0.5, test_share=0.5))


def test_a_training_set_cannot_hold_a_test_picture(tmp_path: Path) -> None:
    picture = LabelledPicture(name="a.png", path=tmp_path / "a.png", split="test", good=True, group="a")

    for train, val in (((picture,), ()), ((), (picture,))):
        with pytest.raises(ConfigError, match=r"a.png is of the split test; expected pictures of"):
            TrainingSet(train=train, val=val)


def test_a_trainer_gets_train_and_val_and_nothing_else(tmp_path: Path) -> None:
    touched(tmp_path, "a.png", "b.png", "c.png", "d.png")
    listed(tmp_path, "a.png,train,good,,,", "b.png,val,good,,,", "c.png,test,good,,,", "d.png,other,defect,,,")

    pictures = read_dataset(tmp_path).for_training()

    assert (["a.png"], ["b.png"]) == ([each.name for each in pictures.train], [each.name for each in pictures.val])


def test_the_record_of_the_split_hashes_what_was_seen_and_opens_no_test_picture(tmp_path: Path) -> None:
    touched(tmp_path, "a.png", "c.png")
    dataset = read_dataset(listed(tmp_path, "a.png,train,good,,,", "c.png,test,defect,pit,,"))
    (tmp_path / "c.png").unlink()  # whoever opens it now fails

    _, seen, unseen = dataset.listing().decode().splitlines()

    assert f"a.png,train,good,,,a.png,{sha256_of_file(tmp_path / 'a.png')}" == seen
    assert "c.png,test,defect,pit,,c.png," == unseen
