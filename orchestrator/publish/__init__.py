"""What others see: tags, copies, mirrors, and their way back."""
