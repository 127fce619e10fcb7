"""The Gradio app, one file per tab."""
