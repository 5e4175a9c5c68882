"""`lineside train`: model packages from pictures. Methods that fit networks need the extra train, and say so."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from lineside.commands.train_backbone import backbone
from lineside.commands.train_bank import bank, demo_plate
from lineside.commands.train_classify import classify
from lineside.commands.train_defects import defects
from lineside.commands.train_patch import patch
from lineside.commands.train_segment import segment, synthetic
from lineside.commands.train_template import template

__all__ = ["train_app"]


class _BankUnlessNamed(TyperGroup):
    """`lineside train DATA -o …` without a method is `lineside train bank DATA -o …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args[:1] and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named or not args else ["bank", *args])


train_app = typer.Typer(cls=_BankUnlessNamed, no_args_is_help=True, pretty_exceptions_enable=False)
train_app.command()(bank)
train_app.command("synthetic")(synthetic)
train_app.command("segment")(segment)
train_app.command()(patch)
train_app.command()(backbone)
train_app.command()(classify)
train_app.command()(template)
train_app.command()(defects)
train_app.command("demo-plate")(demo_plate)
