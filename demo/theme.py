"""One look for all tabs: system fonts (nothing is fetched), light and dark, 320 px and up."""

from __future__ import annotations

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Slate and indigo; text and buttons keep a contrast of at least 4.5 in both modes."""
    base = gr.themes.Base(
        primary_hue="indigo", neutral_hue="slate", radius_size="md", font=SANS, font_mono=MONO
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        block_shadow="none",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_border_width="1px",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_600",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )


CSS = """
.gradio-container {width: 100% !important; max-width: 1400px !important; margin: 0 auto !important;}
#top {align-items: center; gap: 12px; padding: 4px 2px 0 2px;}
#top h1 {font-size: 1.35rem; line-height: 1.3; margin: 0; font-weight: 650;}
#top p {margin: 2px 0 0 0; color: var(--body-text-color-subdued);}
#status {text-align: right;}
#status p {font-size: 0.85rem;}
.facts {min-height: 2em;}
.facts p {margin: 0;}
.note p {color: var(--body-text-color-subdued); font-size: 0.9rem;}
#batch-table .header-content * {overflow-wrap: normal; word-break: normal; white-space: nowrap;}
.packed .empty.large {min-height: 5rem;}
.table-container .header-row {flex-wrap: wrap;}
.named .virtual-row {width: max-content !important;}
.named :is([data-col="1"], [data-heading="1"]) {
  position: sticky; left: 0; z-index: 3; background: inherit;
  border-right: 1px solid var(--border-color-primary);}
#dataset-gallery .grid-wrap {max-height: none;}
#board-slider label {
  max-width: calc(100% - 110px); overflow: hidden; white-space: nowrap; text-overflow: ellipsis;}
.about {max-width: 860px;}
.about table, .about .katex-display, #shadow-statistics table {
  display: block; overflow-x: auto; overflow-y: hidden;}
#shadow-statistics :is(td, th) {white-space: nowrap;}
#board-choice input {text-overflow: ellipsis;}
button:focus-visible, input:focus-visible, [role="tab"]:focus-visible {
  outline: 2px solid var(--primary-500); outline-offset: 2px;}
.slider-wrap [role="slider"]:focus-visible {
  outline: 2px solid var(--primary-500); outline-offset: -2px;}
.tab-container button[aria-selected="true"] {color: var(--primary-700);}
.dark .tab-container button[aria-selected="true"] {color: var(--primary-300);}
footer .divider:last-child {display: none;}
@media (max-width: 640px) {
  .main.fillable {padding: 12px !important;}
  #status {text-align: left;}
  #top {flex-direction: column; align-items: stretch; gap: 2px;}
  #restore-slider:not(.fullscreen) {height: 380px !important;}
  #restore-slider:not(.fullscreen) img {max-height: 378px !important;}
  .tab-container button {padding: 0 10px;}
  #board-bar {flex-wrap: wrap !important;}
  #board-bar > .form {flex-basis: 100% !important;}
  #board-choice input {font-size: 0.8rem;}
  .named .sizing-body td:nth-child(2) {max-width: 150px !important;}
  .file-preview .filename {padding-left: 4px !important;}
  .file-preview .download {min-width: 90px !important;}
  .caption-label {
    right: 0 !important; bottom: 0 !important; max-width: 100% !important;
    padding: 2px 4px !important; white-space: normal !important;}
  #dataset-gallery .grid-container {grid-template-columns: repeat(4, minmax(0, 1fr)) !important;}
}
"""
