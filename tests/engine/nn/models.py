"""Models as tutorials write them: five steps of training, and what becomes of the parameters."""

from __future__ import annotations

STEPS = """
opt = {optimiser}
for step in range(5):
    opt.zero_grad()
    loss = {loss}
    loss.backward()
    {clip}
    opt.step()
    note(f"loss {{step}}", loss)
note("text", repr(net))
note("state", net.state_dict())
"""
LENET = """
class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 5, padding=2), nn.Conv2d(4, 6, 3)
        self.fc1, self.fc2, self.fc3 = nn.Linear(6 * 3 * 3, 20), nn.Linear(20, 12), nn.Linear(12, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))

torch.manual_seed(0)
net, x, y = LeNet(), torch.randn(4, 1, 16, 16), torch.tensor([3, 1, 7, 0])
"""
RESNET = """
class Block(nn.Module):
    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.down = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.down(x)
        return self.relu(out)

torch.manual_seed(0)
net = nn.Sequential(Block(3, 4), Block(4, 6, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
x, y = torch.randn(4, 3, 8, 8), torch.tensor([0, 2, 1, 0])
"""
UNET = """
def double(inputs, outputs):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(2, outputs), nn.SiLU(),
                         nn.Conv2d(outputs, outputs, 3, padding=1), nn.LeakyReLU(0.1))

class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.pool = double(1, 4), double(4, 8), nn.MaxPool2d(2)
        self.up, self.up1 = nn.ConvTranspose2d(8, 4, 2, stride=2), double(8, 4)
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.up(self.down2(self.pool(a)))
        return self.out(self.up1(torch.cat([a, b], dim=1)))

torch.manual_seed(0)
net, x = UNet(), torch.randn(2, 1, 8, 8)
y = (x > 0).float()
"""
ENCODER = """
torch.manual_seed(0)
layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
net = nn.Sequential(nn.Embedding(11, 8), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 11))
x, y = torch.randint(11, (2, 5)), torch.randint(11, (2, 5))
"""
LANGUAGE = """
class LanguageModel(nn.Module):
    def __init__(self, words=13, size=6):
        super().__init__()
        self.embedding = nn.Embedding(words, size)
        self.lstm = nn.LSTM(size, 8, num_layers=2, batch_first=True)
        self.out = nn.Linear(8, words)
        nn.init.orthogonal_(self.lstm.weight_hh_l0)

    def forward(self, tokens, state=None):
        out, state = self.lstm(self.embedding(tokens), state)
        return self.out(out), state

torch.manual_seed(0)
net = LanguageModel()
x, y = torch.randint(13, (3, 6)), torch.randint(13, (3, 6))
"""
SPATIAL = """
class Spatial(nn.Module):
    def __init__(self):
        super().__init__()
        self.localization = nn.Sequential(nn.Conv2d(1, 3, 3), nn.MaxPool2d(2, stride=2), nn.ReLU(True))
        self.theta = nn.Sequential(nn.Linear(3 * 3 * 3, 8), nn.ReLU(True), nn.Linear(8, 6))
        self.theta[2].weight.data.zero_()
        self.theta[2].bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        theta = self.theta(self.localization(x).view(-1, 27)).view(-1, 2, 3)
        grid = F.affine_grid(theta, x.size(), align_corners=False)
        x = F.grid_sample(x, grid, align_corners=False)
        return F.log_softmax(self.fc(x.flatten(1)), dim=1)

torch.manual_seed(0)
net, x, y = Spatial(), torch.randn(4, 1, 8, 8), torch.tensor([0, 2, 1, 1])
"""
CLASSES = "nn.CrossEntropyLoss()(net(x), y)"
MODELS = {
    "LeNet": (LENET, "optim.SGD(net.parameters(), lr=0.1, momentum=0.9)", CLASSES, "pass"),
    "ResNet block": (RESNET, "optim.Adam(net.parameters(), lr=0.01)", CLASSES, "pass"),
    "U-Net": (UNET, "optim.AdamW(net.parameters(), lr=0.01)", "nn.BCEWithLogitsLoss()(net(x), y)", "pass"),
    "transformer encoder": (
        ENCODER, "optim.SGD(net.parameters(), lr=0.1, momentum=0.9)",
        "F.cross_entropy(net(x).flatten(0, 1), y.flatten())",
        "nn.utils.clip_grad_norm_(net.parameters(), 0.5)",
    ),
    "LSTM language model": (
        LANGUAGE, "optim.SGD(net.parameters(), lr=1.0)", "F.cross_entropy(net(x)[0].transpose(1, 2), y)",
        "nn.utils.clip_grad_value_(net.parameters(), 0.05)",
    ),
    "spatial transformer": (
        SPATIAL, "optim.SGD(net.parameters(), lr=0.05)", "F.nll_loss(net(x), y)", "pass",
    ),
}  # fmt: skip


def programs() -> dict[str, str]:
    """Every program of this module by name."""
    return {
        name: text + STEPS.format(optimiser=optimiser, loss=loss, clip=clip)
        for name, (text, optimiser, loss, clip) in MODELS.items()
    }
