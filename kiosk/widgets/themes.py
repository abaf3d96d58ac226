"""The two sets of colours, dark and light; every text keeps a contrast of 4.5 to 1 on its background (WCAG 2.2 AA)."""

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="rollcall-dark",
    dark=True,
    primary="#5aa9e6",
    accent="#5aa9e6",
    foreground="#e8edf2",
    background="#101418",
    surface="#182028",
    panel="#202a34",
    success="#7ddc9a",
    warning="#ffc46b",
    error="#ff9a8f",
    variables={
        "quiet": "#a9b4c0",
        "ok": "#7ddc9a",
        "warn": "#ffc46b",
        "bad": "#ff9a8f",
        "chosen": "#2b5f91",
        "on-chosen": "#ffffff",
        "block-cursor-background": "#2b5f91",
        "block-cursor-foreground": "#ffffff",
        "footer-background": "#202a34",
        "footer-key-foreground": "#ffc46b",
        "footer-description-foreground": "#e8edf2",
    },
)
LIGHT: Final = Theme(
    name="rollcall-light",
    dark=False,
    primary="#0b4f8a",
    accent="#0b4f8a",
    foreground="#15191d",
    background="#ffffff",
    surface="#f4f6f8",
    panel="#e6ebf0",
    success="#0b6128",
    warning="#7d4300",
    error="#a3120a",
    variables={
        "quiet": "#48525c",
        "ok": "#0b6128",
        "warn": "#7d4300",
        "bad": "#a3120a",
        "chosen": "#0b4f8a",
        "on-chosen": "#ffffff",
        "block-cursor-background": "#0b4f8a",
        "block-cursor-foreground": "#ffffff",
        "footer-background": "#e6ebf0",
        "footer-key-foreground": "#7d4300",
        "footer-description-foreground": "#15191d",
    },
)
