"""The About tab."""

import gradio as gr


def build(context):
    gr.Markdown("x")
